// SPDX-License-Identifier: Apache-2.0
// The real plug-in, as far as it goes on any machine: it loads without a GPU and without a driver, and says what is missing.
#include "collective/nccl_collectives.hpp"

#include "tests/catch.hpp"

#include <cstdlib>
#include <string>

#include <dlfcn.h>

using namespace sdfleet::collective;
using namespace std::chrono_literals;

namespace {

NcclPlugin plugin()
{
    const auto loaded = NcclPlugin::load(SDFLEET_CUDA_PLUGIN);
    INFO((loaded ? "" : loaded.error().message));
    REQUIRE(loaded);
    return *loaded;
}

bool has_driver()
{
    void* driver = ::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
    return driver != nullptr;
}

} // namespace

TEST_CASE("the plug-in loads everywhere; without a driver it says that there is none")
{
    const auto facts = plugin().probe(0);

    if (!has_driver()) {
        REQUIRE_FALSE(facts);
        REQUIRE(std::holds_alternative<BackendUnavailable>(facts.error().cause));
        REQUIRE_THAT(facts.error().message, ContainsSubstring("no GPU driver: libcuda.so.1 is missing"));
    } else if (facts) {
        REQUIRE(facts->device_count > 0);
        REQUIRE(facts->device_memory_bytes > 0);
        REQUIRE(facts->nccl_version >= 22'000);
    } else {
        REQUIRE(std::holds_alternative<BackendUnavailable>(facts.error().cause));
    }
}

TEST_CASE("a device that no machine has is refused")
{
    REQUIRE_FALSE(plugin().probe(4'096));
    REQUIRE_FALSE(plugin().probe(-1));
}

TEST_CASE("the plug-in opens an NCCL that fits the header it was built with")
{
    sdfleet_nccl_facts facts{};
    sdfleet_nccl_text why{};
    plugin().table().probe(0, &facts, &why);

    REQUIRE(facts.runtime_version >= 12'000);
    if (SDFLEET_NCCL_WAS_FOUND) {
        REQUIRE(facts.nccl_version >= 22'000);
        REQUIRE_THAT(std::string(facts.nccl_path), ContainsSubstring("libnccl.so.2"));
    }
}

TEST_CASE("the table bears calls that nobody should make")
{
    const auto loaded = plugin();
    const auto& table = loaded.table();
    sdfleet_nccl_text why{};
    sdfleet_nccl_communicator* communicator = nullptr;
    sdfleet_nccl_communicator_options options{};
    options.rank = 2;
    options.world_size = 2;

    REQUIRE(table.probe(0, nullptr, &why) == SDFLEET_NCCL_INVALID);
    REQUIRE(table.configure(nullptr, &why) == SDFLEET_NCCL_INVALID);
    REQUIRE(table.unique_id(nullptr, nullptr) == SDFLEET_NCCL_INVALID);
    REQUIRE(table.create(nullptr, &communicator, &why) == SDFLEET_NCCL_INVALID);
    if (SDFLEET_NCCL_WAS_FOUND) {
        REQUIRE(table.create(&options, &communicator, &why) == SDFLEET_NCCL_INVALID);
        REQUIRE_THAT(std::string(why.text), ContainsSubstring("out of range"));
    }
    REQUIRE(communicator == nullptr);
    REQUIRE(table.start(nullptr, nullptr, &why) == SDFLEET_NCCL_INVALID);
    REQUIRE(table.poll(nullptr, &why) == SDFLEET_NCCL_INVALID);
    table.close(nullptr, 0);
    REQUIRE(table.poll_closed(nullptr) == SDFLEET_NCCL_DONE);
}

TEST_CASE("NCCL's network and buffers are chosen once in a process")
{
    const auto loaded = plugin();
    sdfleet_nccl_text why{};
    const sdfleet_nccl_environment first{"Socket", "=lo", 1u << 20};
    const sdfleet_nccl_environment other{"Socket", "=lo", 1u << 21};

    REQUIRE(loaded.table().configure(&first, &why) == SDFLEET_NCCL_DONE);
    REQUIRE(std::getenv("NCCL_COMM_BLOCKING") == std::string("0"));
    REQUIRE(std::getenv("NCCL_NET") == std::string("Socket"));
    REQUIRE(std::getenv("NCCL_SOCKET_IFNAME") == std::string("=lo"));
    REQUIRE(std::getenv("NCCL_BUFFSIZE") == std::string("1048576"));
    REQUIRE(loaded.table().configure(&first, &why) == SDFLEET_NCCL_DONE);
    REQUIRE(loaded.table().configure(&other, &why) == SDFLEET_NCCL_INVALID);
    REQUIRE_THAT(std::string(why.text), ContainsSubstring("once in a process"));

    NcclOptions options;
    options.network = "IB";
    const auto group = NcclCollectives::create(loaded, {"g", {}, 0, 1}, options, {}, 60s);
    REQUIRE_FALSE(group);
    REQUIRE(std::holds_alternative<InvalidArgument>(group.error().cause));
}

TEST_CASE("without a GPU a communicator is an error, not a crash")
{
    const auto loaded = plugin();
    if (loaded.probe(0)) {
        SUCCEED("there is a GPU: nccl_test is about it");
        return;
    }
    sdfleet_nccl_text why{};
    sdfleet_nccl_communicator* communicator = nullptr;
    sdfleet_nccl_communicator_options options{};
    options.world_size = 1;

    REQUIRE(loaded.table().create(&options, &communicator, &why) != SDFLEET_NCCL_PENDING);
    REQUIRE(communicator == nullptr);
    REQUIRE_FALSE(std::string(why.text).empty());
}
