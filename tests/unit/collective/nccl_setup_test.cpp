// SPDX-License-Identifier: Apache-2.0
// Groups of Backend::nccl that do not come about.
#include "nccl_group.hpp"

#include <cstdlib>

using namespace sdfleet::collective;
using namespace sdfleet::collective::test;
using namespace std::chrono_literals;

namespace {

std::vector<Outcome> refusals(std::uint32_t world_size, const std::function<InitOptions(std::uint32_t)>& options_of)
{
    std::vector<Outcome> outcomes;
    for (const auto& formed : form_nccl(world_size, options_of)) {
        outcomes.push_back(formed ? Outcome{} : Outcome{formed.error()});
    }
    return outcomes;
}

} // namespace

TEST_CASE("a rank without a device does not leave the others hanging: all learn who it is and what it lacks")
{
    FakeNccl fake;
    const auto outcomes = refusals(3, [](std::uint32_t rank) {
        auto options = nccl_options();
        options.nccl.device = rank == 1 ? 5 : 0;
        return options;
    });
    for (const auto& outcome : outcomes) {
        cause_of<BackendUnavailable>(outcome);
        REQUIRE_THAT(outcome->message, ContainsSubstring("forming group default, epoch 1") &&
                                           ContainsSubstring("rank 1: NCCL cannot be used here: no CUDA device"));
    }
}

TEST_CASE("ranks that lack the same are named together, and each other lack by itself")
{
    FakeNccl fake;
    const auto outcomes = refusals(4, [](std::uint32_t rank) {
        auto options = nccl_options();
        options.nccl.device = rank == 2 ? 5 : 0;
        options.nccl.library = rank % 2 == 1 ? "no-such-plugin.so" : SDFLEET_FAKE_NCCL;
        return options;
    });
    for (const auto& outcome : outcomes) {
        cause_of<BackendUnavailable>(outcome);
        REQUIRE_THAT(outcome->message, ContainsSubstring("ranks 1, 3: NCCL cannot be used here: the GPU plug-in does "
                                                         "not load: no-such-plugin.so") &&
                                           ContainsSubstring("rank 2: NCCL cannot be used here: no CUDA device"));
        REQUIRE(outcome->message.find('\n') == std::string::npos);
    }
}

TEST_CASE("ranks with different NCCLs do not begin")
{
    FakeNccl fake;
    const auto outcomes = refusals(2, [](std::uint32_t rank) {
        auto options = nccl_options();
        options.nccl.device = static_cast<int>(rank); // the double's device 1 comes with another version
        return options;
    });
    for (const auto& outcome : outcomes) {
        cause_of<BackendUnavailable>(outcome);
        REQUIRE_THAT(outcome->message, ContainsSubstring("rank 0 has NCCL 22809, this rank 23007"));
    }
}

TEST_CASE("when rank 0's NCCL cannot invite the others, they hear why")
{
    FakeNccl fake;
    fake.set_fault(fake_nccl_no_unique_id);
    for (const auto& outcome : refusals(2, [](std::uint32_t) { return nccl_options(); })) {
        cause_of<BackendUnavailable>(outcome);
        REQUIRE_THAT(outcome->message, ContainsSubstring("no interface found"));
    }
}

TEST_CASE("a rank on its own says at once, and with one line, that it cannot use NCCL")
{
    auto options = nccl_options();
    options.nccl.library = "no-such-plugin.so";
    const auto group = init_process_group(Backend::nccl, 0, 1, ViaMaster{}, options);
    REQUIRE_FALSE(group);
    cause_of<BackendUnavailable>(group.error());
    REQUIRE_THAT(group.error().message, ContainsSubstring("no-such-plugin.so"));
    REQUIRE(group.error().message.find('\n') == std::string::npos);
}

TEST_CASE("where the others do not come, what is wrong here is said all the same")
{
    auto options = nccl_options(300ms);
    options.nccl.library = "no-such-plugin.so";
    const auto group = init_process_group(Backend::nccl, 0, 2, ViaMaster{"127.0.0.1", free_port(), ""}, options);
    REQUIRE_FALSE(group);
    cause_of<BackendUnavailable>(group.error());
}

TEST_CASE("ranks that want different backends do not agree")
{
    FakeNccl fake;
    const ViaMaster master{"127.0.0.1", free_port(), ""};
    const auto outcomes = on_ranks<Outcome>(2, [&](std::uint32_t rank) -> Outcome {
        auto group = init_process_group(rank == 0 ? Backend::zmq : Backend::nccl, rank, 2, master, nccl_options());
        return group ? outcome_of(group->barrier()) : Outcome{group.error()};
    });
    cause_of<OperationMismatch>(outcomes[0]);
    cause_of<OperationMismatch>(outcomes[1]);
    REQUIRE_THAT(outcomes[0]->message, ContainsSubstring("setting up NCCL"));
}

TEST_CASE("the ranks of a machine take its devices in turn, unless they name one")
{
    FakeNccl fake;
    ::setenv("RANK", "0", 1);
    ::setenv("WORLD_SIZE", "1", 1);
    const auto device_of = [](const char* local_rank, std::optional<int> wanted) {
        ::setenv("LOCAL_RANK", local_rank, 1);
        ::setenv("LOCAL_WORLD_SIZE", "8", 1);
        auto options = nccl_options();
        options.nccl.device = wanted;
        auto group = init_process_group(Backend::nccl, options);
        return group ? group->impl().device->device() : group.error().message;
    };
    REQUIRE(device_of("0", {}) == "cuda:0");
    REQUIRE(device_of("1", {}) == "cuda:1"); // the double has two
    REQUIRE(device_of("2", {}) == "cuda:0");
    REQUIRE(device_of("2", 1) == "cuda:1");
    for (const char* name : {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"}) {
        ::unsetenv(name);
    }
}
