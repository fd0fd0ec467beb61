// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.hpp"
#include "tests/unit/collective/ranks.hpp"

#include <memory>
#include <optional>

using namespace sdfleet::collective;
using namespace sdfleet::collective::test;
using namespace std::chrono_literals;

namespace {

/// How it went for each of these ranks, which all came to the same place with the same options.
struct Comer {
    std::uint32_t rank = 0;
    std::uint32_t world_size = 0;
    ViaMaster master;
    InitOptions options;
};

std::vector<std::optional<Error>> come(const std::vector<Comer>& comers)
{
    return on_ranks<std::optional<Error>>(static_cast<std::uint32_t>(comers.size()), [&](std::uint32_t index) {
        const auto& comer = comers[index];
        auto group = init_process_group(Backend::zmq, comer.rank, comer.world_size, comer.master, comer.options);
        std::optional<Error> error;
        if (!group) {
            error = group.error();
        } else if (auto met = group->barrier(); !met) {
            error = met.error();
        }
        return error;
    });
}

std::string line_of(const Result<ProcessGroup>& group)
{
    return group ? "formed" : group.error().message;
}

template <class CauseType>
const CauseType& cause_of(const std::optional<Error>& error)
{
    REQUIRE(error);
    INFO(error->message);
    REQUIRE(std::holds_alternative<CauseType>(error->cause));
    return std::get<CauseType>(error->cause);
}

} // namespace

TEST_CASE("ranks that share a secret meet; one with another secret does not get in, and says why it may be")
{
    const auto port = free_port();
    const ViaMaster friends{"127.0.0.1", port, "open sesame"};
    const ViaMaster stranger{"127.0.0.1", port, "open barley"};
    const auto outcomes = come({{0, 2, friends, options_with(patience)},
                                {1, 2, friends, options_with(patience)},
                                {1, 2, stranger, options_with(1s)}});
    REQUIRE_FALSE(outcomes[0]);
    REQUIRE_FALSE(outcomes[1]);
    cause_of<TimedOut>(outcomes[2]);
    REQUIRE_THAT(outcomes[2]->message,
                 ContainsSubstring("could not reach rank 0 at tcp://127.0.0.1:" + std::to_string(port)) &&
                     ContainsSubstring("same secret"));
}

TEST_CASE("without a secret ranks meet on this machine only")
{
    const auto outcomes = come({{0, 2, {"192.0.2.7", 4'000, ""}, options_with(1s)}});
    cause_of<InvalidArgument>(outcomes[0]);
    REQUIRE_THAT(outcomes[0]->message, ContainsSubstring("192.0.2.7") && ContainsSubstring("SDFLEET_GROUP_SECRET"));
}

TEST_CASE("rank 0 may come last")
{
    const ViaMaster master{"127.0.0.1", free_port(), ""};
    std::atomic<bool> is_waiting = false;
    const auto outcomes = on_ranks<std::string>(2, [&](std::uint32_t rank) {
        if (rank == 0) {
            is_waiting.wait(false);
        }
        is_waiting = true;
        is_waiting.notify_all();
        return line_of(init_process_group(Backend::zmq, rank, 2, master, options_with(patience)));
    });
    REQUIRE(outcomes == std::vector<std::string>{"formed", "formed"});
}

TEST_CASE("who waits in vain learns who is missing")
{
    const ViaMaster master{"127.0.0.1", free_port(), ""};
    const auto outcomes = come({{0, 4, master, options_with(1s)}, {2, 4, master, options_with(1s)}});
    for (const auto& outcome : outcomes) {
        REQUIRE(cause_of<TimedOut>(outcome).missing == std::vector<Rank>{{1}, {3}});
        REQUIRE_THAT(outcome->message, ContainsSubstring("ranks 1, 3 did not come"));
    }
}

TEST_CASE("where there is no rank 0, the others name the address")
{
    const auto port = free_port();
    const auto outcomes = come({{1, 2, {"localhost", port, ""}, options_with(500ms)}});
    REQUIRE(cause_of<TimedOut>(outcomes[0]).missing == std::vector<Rank>{{0}});
    REQUIRE_THAT(outcomes[0]->message, ContainsSubstring("rank 0 at tcp://127.0.0.1:" + std::to_string(port)));
}

TEST_CASE("a rank with another idea of the world is refused, and so is a second process with one rank")
{
    const ViaMaster master{"127.0.0.1", free_port(), ""};
    const auto patient = options_with(patience);
    std::vector<std::optional<Error>> misfits;
    const auto outcomes = on_ranks<std::string>(3, [&](std::uint32_t rank) {
        if (rank < 2) {
            return line_of(init_process_group(Backend::zmq, rank, 3, master, patient));
        }
        wait_for_listener(master.port);
        misfits = come({{2, 5, master, patient}, {0, 3, {"127.0.0.1", master.port, ""}, patient}});
        return line_of(init_process_group(Backend::zmq, 2, 3, master, patient));
    });
    REQUIRE(outcomes == std::vector<std::string>(3, "formed"));
    cause_of<NotFormed>(misfits[0]);
    REQUIRE_THAT(misfits[0]->message, ContainsSubstring("world of 5") && ContainsSubstring("3"));
    cause_of<NotFormed>(misfits[1]);
    REQUIRE_THAT(misfits[1]->message, ContainsSubstring("in use"));
}

TEST_CASE("a second process with the same rank is refused by the first group that forms")
{
    const ViaMaster master{"127.0.0.1", free_port(), ""};
    std::atomic<int> formed = 0;
    std::atomic<int> duplicates = 0;
    on_ranks<int>(4, [&](std::uint32_t number) {
        const auto rank = number == 3 ? 1u : number; // two ranks 1
        auto group =
            init_process_group(Backend::zmq, rank, 3, master, options_with(number == 3 || number == 1 ? 2s : patience));
        formed += group.has_value() ? 1 : 0;
        duplicates += !group && std::holds_alternative<NotFormed>(group.error().cause) ? 1 : 0;
        duplicates += !group && std::holds_alternative<TimedOut>(group.error().cause) ? 1 : 0; // came after all had met
        return 0;
    });
    REQUIRE(formed == 3);
    REQUIRE(duplicates == 1);
}

TEST_CASE("a rank of an epoch that is over is refused, and the new epoch forms")
{
    const ViaMaster master{"127.0.0.1", free_port(), ""};
    std::optional<Error> late;
    const auto outcomes = on_ranks<std::string>(2, [&](std::uint32_t rank) {
        if (rank == 1) {
            wait_for_listener(master.port);
            late = come({{1, 2, master, options_with(2s, 6)}})[0];
        }
        return line_of(init_process_group(Backend::zmq, rank, 2, master, options_with(patience, 7)));
    });
    REQUIRE(outcomes == std::vector<std::string>(2, "formed"));
    cause_of<NotFormed>(late);
    REQUIRE_THAT(late->message, ContainsSubstring("epoch 7 has begun"));
}

TEST_CASE("what cannot work is refused at once, with one line that says why")
{
    const auto refusal = [](Backend backend, std::uint32_t rank, std::uint32_t world_size, const ViaMaster& master,
                            const std::string& name = "default") {
        InitOptions options;
        options.nccl.library = "no-such-plugin.so";
        options.group_name = name;
        auto group = init_process_group(backend, rank, world_size, master, options);
        REQUIRE_FALSE(group);
        return group.error();
    };
    const ViaMaster good{"127.0.0.1", 4'000, ""};
    REQUIRE(std::holds_alternative<BackendUnavailable>(refusal(Backend::nccl, 0, 1, good).cause));
    REQUIRE(std::holds_alternative<InvalidArgument>(refusal(Backend::zmq, 2, 2, good).cause));
    REQUIRE(std::holds_alternative<InvalidArgument>(refusal(Backend::zmq, 0, 0, good).cause));
    REQUIRE(std::holds_alternative<InvalidArgument>(refusal(Backend::zmq, 0, 2, good, "a/b").cause));
    REQUIRE(std::holds_alternative<InvalidArgument>(refusal(Backend::zmq, 0, 2, {"no such host.", 4'000, ""}).cause));
    REQUIRE(std::holds_alternative<InvalidArgument>(refusal(Backend::zmq, 0, 2, {"127.0.0.1", 0, ""}).cause));
    REQUIRE_THAT(refusal(Backend::zmq, 2, 2, good).message,
                 ContainsSubstring("rank 2") && ContainsSubstring("world of 2"));
}

TEST_CASE("the environment says who a rank is, and contradictions are named")
{
    const auto names = {"RANK",
                        "WORLD_SIZE",
                        "LOCAL_RANK",
                        "LOCAL_WORLD_SIZE",
                        "MASTER_ADDR",
                        "MASTER_PORT",
                        "SDFLEET_AGENT",
                        "SDFLEET_EPOCH",
                        "TORCHELASTIC_RESTART_COUNT",
                        "SDFLEET_PROGRAM",
                        "SDFLEET_GROUP_SECRET"};
    const auto set = [&](const std::vector<std::pair<const char*, const char*>>& values) {
        for (const char* name : names) {
            ::unsetenv(name);
        }
        for (const auto& [name, value] : values) {
            ::setenv(name, value, 1);
        }
    };
    set({});
    const auto nothing = read_rank_environment();
    REQUIRE((nothing && nothing->world_size == 1 && !nothing->agent && !nothing->master));
    REQUIRE(init_process_group(Backend::zmq)->barrier());

    set({{"RANK", "3"},
         {"WORLD_SIZE", "8"},
         {"MASTER_ADDR", "10.0.0.1"},
         {"MASTER_PORT", "29500"},
         {"TORCHELASTIC_RESTART_COUNT", "2"}});
    const auto torchrun = read_rank_environment();
    REQUIRE((torchrun && torchrun->rank == 3 && torchrun->epoch.value == 2 && torchrun->master->port == 29'500));

    for (const auto& wrong :
         std::vector<std::vector<std::pair<const char*, const char*>>>{{{"RANK", "3"}},
                                                                       {{"RANK", "x"}, {"WORLD_SIZE", "8"}},
                                                                       {{"RANK", "8"}, {"WORLD_SIZE", "8"}},
                                                                       {{"RANK", "-1"}, {"WORLD_SIZE", "8"}},
                                                                       {{"MASTER_PORT", "70000"}},
                                                                       {{"SDFLEET_AGENT", "ipc:///tmp/a"}}}) {
        set(wrong);
        const auto read = read_rank_environment();
        REQUIRE_FALSE(read);
        REQUIRE_THAT(read.error().message, ContainsSubstring(wrong[0].first));
    }
    set({});
}
