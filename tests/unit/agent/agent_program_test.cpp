// SPDX-License-Identifier: Apache-2.0
// Real processes: an agent, its echo actors, and a coordinator played by the test.
#include "base/pidfd.hpp"
#include "base/unique_fd.hpp"
#include "tests/unit/agent/fake_coordinator.hpp"

#include <csignal>
#include <cstdlib>
#include <iostream>

#include <poll.h>

using namespace sdfleet;
using namespace sdfleet::agent;
using namespace std::chrono_literals;

namespace {

/// Agents of these tests make their private folders here.
struct RuntimeParent {
    std::filesystem::path folder;

    RuntimeParent()
    {
        std::string name = std::filesystem::temp_directory_path() / "sdfleet-agent-test-XXXXXX";
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        folder = name;
        ::setenv("XDG_RUNTIME_DIR", folder.c_str(), 1);
    }
    ~RuntimeParent() { std::filesystem::remove_all(folder); }
};

bool dies_within_half_a_minute(const base::UniqueFd& pidfd)
{
    pollfd entry{pidfd.get(), POLLIN, 0};
    return ::poll(&entry, 1, 30'000) == 1;
}

} // namespace

TEST_CASE("an agent joins, starts its actors, and brings work back")
{
    const RuntimeParent runtime;
    FakeCoordinator coordinator;
    auto agent = coordinator.start_agent({"--devices", "cpu*2"});
    REQUIRE(coordinator.run_until([&] { return coordinator.is_ready(0) && coordinator.is_ready(1); }));
    REQUIRE(coordinator.last_hello->node_id.value == "node-a");
    REQUIRE(coordinator.last_hello->devices.at(0).name == "cpu");
    REQUIRE(coordinator.last_hello->devices.at(0).memory_bytes > 0);

    coordinator.assign_echo(11, 600); // its first step comes after the word of its acceptance

    REQUIRE(coordinator.next<proto::Accepted>().attempt_id.value == 11);
    REQUIRE(coordinator.next<proto::Started>().attempt_id.value == 11);
    REQUIRE(coordinator.next<proto::ItemDone>().attempt_id.value == 11);
    coordinator.say(proto::Channel::bulk, proto::ResultAck{{11}, proto::Verdict::accepted});

    agent.signal(SIGTERM);
    coordinator.next<proto::Goodbye>();
    REQUIRE(coordinator.run_until([&] { return coordinator.agent_exit.has_value(); }));
    REQUIRE(*coordinator.agent_exit == ExitStatus(ExitedWith{0}));
    REQUIRE(std::filesystem::is_empty(runtime.folder));
}

TEST_CASE("a killed actor's item comes back at once, and the actor comes back too")
{
    const RuntimeParent runtime;
    FakeCoordinator coordinator;
    auto agent = coordinator.start_agent();
    REQUIRE(coordinator.run_until([&] { return coordinator.is_ready(); }));
    coordinator.assign_echo(11, 600'000);
    coordinator.next<proto::Started>();

    const auto killed_at = std::chrono::steady_clock::now();
    ::kill(static_cast<pid_t>(coordinator.actors[0].pid), SIGKILL);
    const auto failure = coordinator.next<proto::ItemFailed>();
    const auto told_after = std::chrono::steady_clock::now() - killed_at;

    REQUIRE(failure.attempt_id.value == 11);
    REQUIRE(failure.reason == proto::FailureReason::actor_died);
    REQUIRE(failure.message == "actor 0 (cpu) was killed by SIGKILL");
    REQUIRE(told_after < 2s);
    std::cout << "the coordinator heard of the death after "
              << std::chrono::duration_cast<std::chrono::microseconds>(told_after).count() << " us\n";
    REQUIRE(coordinator.run_until([&] { return coordinator.is_ready() && coordinator.actors[0].restarts == 1; }));
    coordinator.assign_echo(12);
    REQUIRE(coordinator.next<proto::ItemDone>().attempt_id.value == 12);
}

TEST_CASE("actors die with an agent that is killed, and the next agent clears its folder away")
{
    const RuntimeParent runtime;
    FakeCoordinator coordinator;
    auto agent = coordinator.start_agent();
    REQUIRE(coordinator.run_until([&] { return coordinator.is_ready(); }));
    const base::UniqueFd actor(base::open_pidfd(static_cast<pid_t>(coordinator.actors[0].pid)));
    REQUIRE(actor);

    agent.signal(SIGKILL);

    REQUIRE(dies_within_half_a_minute(actor));
    REQUIRE_FALSE(std::filesystem::is_empty(runtime.folder));
    REQUIRE(coordinator.run_until([&] { return coordinator.agent_exit.has_value(); }));
    coordinator.actors.clear();
    auto next = coordinator.start_agent();
    REQUIRE(coordinator.run_until([&] { return coordinator.is_ready(); }));
    next.signal(SIGTERM);
    coordinator.agent_exit.reset();
    REQUIRE(coordinator.run_until([&] { return coordinator.agent_exit.has_value(); }));
    REQUIRE(std::filesystem::is_empty(runtime.folder));
}

TEST_CASE("a superseded agent ends with code 1 and leaves nothing")
{
    const RuntimeParent runtime;
    FakeCoordinator coordinator;
    coordinator.refuses = true;
    coordinator.refusal = proto::RefusalReason::superseded;

    auto agent = coordinator.start_agent();

    REQUIRE(coordinator.run_until([&] { return coordinator.agent_exit.has_value(); }));
    REQUIRE(*coordinator.agent_exit == ExitStatus(ExitedWith{1}));
    REQUIRE(std::filesystem::is_empty(runtime.folder));
}

TEST_CASE("command lines that cannot work end at once, each with its code")
{
    const RuntimeParent runtime;
    FakeCoordinator coordinator;
    const auto exit_of = [&](std::vector<std::string> arguments) {
        coordinator.agent_exit.reset();
        auto agent = coordinator.start_agent(std::move(arguments));
        REQUIRE(coordinator.run_until([&] { return coordinator.agent_exit.has_value(); }));
        return *coordinator.agent_exit;
    };

    REQUIRE(exit_of({"--devices", "gpu:0"}) == ExitStatus(ExitedWith{2}));
    REQUIRE(exit_of({"--devices", "cuda:1000"}) == ExitStatus(ExitedWith{1}));
    REQUIRE(exit_of({"--model", "tiny=/nowhere"}) == ExitStatus(ExitedWith{5}));
    REQUIRE(exit_of({"--model", "tiny"}) == ExitStatus(ExitedWith{2}));
    REQUIRE(exit_of({"--threads", "0"}) == ExitStatus(ExitedWith{2}));
    REQUIRE(exit_of({"--key-file", "/nowhere"}) == ExitStatus(ExitedWith{2}));
}
