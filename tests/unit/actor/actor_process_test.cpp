// SPDX-License-Identifier: Apache-2.0
#include "actor/echo_kind.hpp"
#include "base/sha256.hpp"
#include "tests/unit/actor/fake_agent.hpp"

using namespace sdfleet;
using namespace sdfleet::actor;

namespace {

KindRegistry echo_alone()
{
    KindRegistry registry;
    registry.add("echo", [](const ActorSettings&) { return std::make_unique<EchoKind>(); });
    return registry;
}

} // namespace

TEST_CASE("an actor says hello, works, and leaves when the agent says goodbye")
{
    FakeAgent agent;
    const auto registry = echo_alone();
    auto actor = start_actor(agent, registry);
    agent.welcome();

    agent.assign_echo(11, "a red circle", 20);

    REQUIRE(agent.next<proto::Started>().first.attempt_id.value == 11);
    const auto progress = agent.next<proto::StepProgress>().first;
    REQUIRE(progress.step == 1);
    REQUIRE(progress.steps == 10);
    const auto [done, packet] = agent.next<proto::ItemDone>();
    REQUIRE(done.attempt_id.value == 11);
    REQUIRE(done.index.value == 4);
    REQUIRE(done.elapsed_ms >= 20);
    REQUIRE(packet.blobs.size() == 1);
    REQUIRE(done.sha256 == base::sha256_hex(packet.blobs[0].bytes));
    REQUIRE(done.sha256 == base::sha256_hex("a red circle"));

    agent.tell(proto::Goodbye{"enough"});
    REQUIRE(actor.get());
}

TEST_CASE("a running item and a waiting one can be cancelled, and the actor goes on")
{
    FakeAgent agent;
    const auto registry = echo_alone();
    auto actor = start_actor(agent, registry);
    agent.welcome();
    agent.assign_echo(11, "slow", 600'000);
    agent.assign_echo(12, "waiting");
    agent.next<proto::Started>();

    agent.tell(proto::CancelAttempt{{12}});
    auto failure = agent.next<proto::ItemFailed>().first;
    REQUIRE(failure.attempt_id.value == 12);
    REQUIRE(failure.reason == proto::FailureReason::cancelled);

    agent.tell(proto::CancelAttempt{{11}});
    failure = agent.next<proto::ItemFailed>().first;
    REQUIRE(failure.attempt_id.value == 11);
    REQUIRE(failure.reason == proto::FailureReason::cancelled);

    agent.assign_echo(13, "next");
    REQUIRE(agent.next<proto::ItemDone>().first.attempt_id.value == 13);
    agent.tell(proto::Goodbye{});
    REQUIRE(actor.get());
}

TEST_CASE("what is assigned twice is done once, and its result is said again")
{
    FakeAgent agent;
    const auto registry = echo_alone();
    auto actor = start_actor(agent, registry);
    agent.welcome();
    agent.assign_echo(11, "a red circle", 20);
    agent.assign_echo(11, "a red circle", 20);
    agent.assign_echo(12, "a blue circle");
    const auto first = agent.next<proto::ItemDone>().first;
    REQUIRE(agent.next<proto::ItemDone>().first.attempt_id.value == 12);

    agent.assign_echo(12, "a blue circle");

    REQUIRE(first.attempt_id.value == 11);
    const auto [again, packet] = agent.next<proto::ItemDone>();
    REQUIRE(again.attempt_id.value == 12);
    REQUIRE(packet.blobs.size() == 1);
    agent.tell(proto::Goodbye{"enough"});
    REQUIRE(actor.get());
}

TEST_CASE("more items than an actor can have waiting come back")
{
    FakeAgent agent;
    const auto registry = echo_alone();
    auto actor = start_actor(agent, registry);
    agent.welcome();
    agent.assign_echo(11, "slow", 600'000);
    agent.next<proto::Started>();

    for (std::uint64_t attempt = 12; attempt <= 14; ++attempt) {
        agent.assign_echo(attempt, "too much");
    }

    const auto failure = agent.next<proto::ItemFailed>().first;
    REQUIRE(failure.attempt_id.value == 14);
    REQUIRE(failure.reason == proto::FailureReason::overloaded);
    agent.tell(proto::Goodbye{});
    REQUIRE(actor.get());
}

TEST_CASE("an actor whose agent falls silent ends itself")
{
    FakeAgent agent;
    agent.acknowledges_heartbeats = false;
    const auto registry = echo_alone();
    auto actor = start_actor(agent, registry);
    agent.welcome(20, 200);

    agent.next<proto::Goodbye>();

    const auto result = actor.get();
    REQUIRE_FALSE(result);
    REQUIRE(result.error().message == "the agent was silent for 200 ms");
}

TEST_CASE("a refused actor ends with the agent's words")
{
    FakeAgent agent;
    const auto registry = echo_alone();
    auto actor = start_actor(agent, registry);
    agent.next<proto::ActorHello>();

    agent.tell(proto::Refused{proto::RefusalReason::invalid_hello, "not one of mine", 1, 1});

    REQUIRE(actor.get().error().message == "the agent refused this actor: not one of mine");
}
