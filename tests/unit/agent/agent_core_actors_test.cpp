// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/agent_story.hpp"

using namespace sdfleet;
using namespace sdfleet::agent;
using namespace std::chrono_literals;
using proto::ActorPhase;
using proto::Channel;
using proto::FailureReason;

namespace {

std::vector<ActorPhase> phases_of(const Story& story)
{
    std::vector<ActorPhase> phases;
    for (const auto& update : story.sent<proto::ActorUpdate>()) {
        phases.push_back(update.actor.phase);
    }
    return phases;
}

} // namespace

TEST_CASE("one actor is started for each slot, and its joining is told")
{
    Story story(2);
    REQUIRE(story.effects_of<SpawnActor>().size() == 2);
    story.join();
    story.forget();

    const auto actor = story.actor_joins(1);

    REQUIRE(story.told<proto::Welcome>(actor).size() == 1);
    REQUIRE(phases_of(story) == std::vector{ActorPhase::starting, ActorPhase::ready});
    const auto update = story.sent<proto::ActorUpdate>().back();
    REQUIRE(update.actor.slot.value == 1);
    REQUIRE(update.actor.pid != 0);
}

TEST_CASE("a dead actor's attempts fail with the cause, what it did not have goes back, the actor starts again")
{
    Story story;
    story.join();
    const auto first = story.actor_joins(0, 2);
    story.assign(11);
    story.assign(12);
    story.assign(13, 0, true);
    story.forget();

    story.actor_dies(first);

    const auto failures = story.sent<proto::ItemFailed>();
    REQUIRE(failures.size() == 3);
    REQUIRE(failures[0].attempt_id.value == 13);
    REQUIRE(failures[0].reason == FailureReason::overloaded);
    // The one that waited first: it must not look like what was running.
    REQUIRE(failures[1].attempt_id.value == 12);
    REQUIRE(failures[1].reason == FailureReason::actor_died);
    REQUIRE(failures[2].attempt_id.value == 11);
    REQUIRE(failures[2].reason == FailureReason::actor_died);
    REQUIRE(failures[2].message.find("SIGKILL") != std::string::npos);
    REQUIRE(phases_of(story) == std::vector{ActorPhase::restarting});
    REQUIRE(story.effects_of<SpawnActor>().empty());

    story.pass(100ms);
    const auto second = story.actor_joins();
    REQUIRE(second.number == first.number + 1);
    REQUIRE(phases_of(story).back() == ActorPhase::ready);
    REQUIRE(story.sent<proto::ActorUpdate>().back().actor.restarts == 1);

    story.assign(14);
    REQUIRE(story.told<proto::Assign>(second).size() == 1);
}

TEST_CASE("an actor that connects again is told again what it has to do")
{
    Story story;
    story.join();
    const auto actor = story.actor_joins();
    story.assign(11);
    story.assign(12);
    story.coordinator_says(proto::CancelAttempt{{11}});
    story.forget();

    story.actor_says(actor, proto::ActorHello{1, 1, "actor", {0}, 1001, 1});

    REQUIRE(story.told<proto::Welcome>(actor).size() == 1);
    REQUIRE(story.told<proto::Assign>(actor).size() == 2);
    REQUIRE(story.told<proto::Assign>(actor)[0].attempt_id.value == 11);
    REQUIRE(story.told<proto::Assign>(actor)[1].attempt_id.value == 12);
    REQUIRE(story.told<proto::CancelAttempt>(actor).size() == 1);
}

TEST_CASE("an actor that is killed because one item does not stop hands the others back without blame")
{
    Story story;
    story.join();
    const auto actor = story.actor_joins(0, 2);
    story.assign(11);
    story.assign(12);
    story.coordinator_says(proto::CancelAttempt{{11}});

    story.pass_in_peace(31s);
    REQUIRE(story.effects_of<KillActor>().size() == 1);
    story.actor_dies(actor);

    const auto failures = story.sent<proto::ItemFailed>();
    REQUIRE(failures.size() == 2);
    REQUIRE(failures[0].attempt_id.value == 12);
    REQUIRE(failures[0].reason == FailureReason::overloaded);
    REQUIRE(failures[1].reason == FailureReason::cancelled);
}

TEST_CASE("an actor that says it draws nothing, or too much, at once is killed")
{
    for (const std::uint32_t max_batch : {0U, 65U}) {
        Story story;

        const auto actor = story.actor_joins(0, max_batch);

        REQUIRE(story.effects_of<KillActor>().size() == 1);
        REQUIRE(story.told<proto::Welcome>(actor).empty());
    }
}

TEST_CASE("the words of a dead actor are not heard")
{
    Story story;
    story.join();
    const auto first = story.actor_joins();
    story.assign(11);
    story.actor_dies(first);
    story.pass(100ms);
    story.actor_joins();
    story.forget();

    story.actor_finishes(first, 11);

    REQUIRE(story.sent<proto::ItemDone>().empty());
}

TEST_CASE("an actor that keeps dying is given up, with the reason; others go on")
{
    Story story(2);
    story.join();
    const auto healthy = story.actor_joins(1);
    for (int death = 0; death < 6; ++death) {
        story.actor_dies(story.actor_joins(0));
        story.pass_in_peace(5s);
    }

    const auto updates = story.sent<proto::ActorUpdate>();
    REQUIRE(updates.back().actor.phase == ActorPhase::failed);
    REQUIRE(updates.back().actor.detail.find("SIGKILL") != std::string::npos);
    REQUIRE(updates.back().actor.restarts == 5);
    story.forget();
    story.pass_in_peace(120s);
    REQUIRE(story.effects_of<SpawnActor>().empty());
    story.assign(11, 1);
    REQUIRE(story.told<proto::Assign>(healthy).size() == 1);
}

TEST_CASE("restarts wait longer each time, and the budget refills")
{
    RestartBudget budget{Limits{}};

    REQUIRE(budget.delay_after_death(0s) == 100ms);
    REQUIRE(budget.delay_after_death(1s) == 200ms);
    REQUIRE(budget.delay_after_death(2s) == 400ms);
    REQUIRE(budget.delay_after_death(3s) == 800ms);
    REQUIRE(budget.delay_after_death(4s) == 1600ms);
    REQUIRE_FALSE(budget.delay_after_death(5s));
    REQUIRE(budget.delay_after_death(200s) == 100ms);
}

TEST_CASE("a silent actor is killed and its attempt fails as hung")
{
    Story story;
    story.join();
    const auto actor = story.actor_joins();
    story.assign(11);
    story.forget();

    story.pass(4900ms);
    REQUIRE(story.effects_of<KillActor>().empty());
    story.pass(200ms);
    REQUIRE(story.effects_of<KillActor>().size() == 1);
    REQUIRE(story.effects_of<KillActor>()[0].launch == actor);
    REQUIRE(story.core.next_deadline());

    story.join(2);
    story.forget();
    story.actor_dies(actor);
    REQUIRE(story.effects_of<SpawnActor>().empty());
    story.pass(100ms);
    REQUIRE(story.effects_of<SpawnActor>().size() == 1);
}

TEST_CASE("an actor that hangs while the coordinator is there fails its attempt with that reason")
{
    Story story;
    story.join();
    const auto actor = story.actor_joins();
    story.living.clear(); // it does not say a word from here on
    story.assign(11);

    story.pass_in_peace(6s);
    story.actor_dies(actor);

    REQUIRE(story.sent<proto::ItemFailed>().at(0).reason == FailureReason::actor_hung);
}

TEST_CASE("an actor that does not join in time is killed")
{
    Story story;
    story.pass(119s);
    REQUIRE(story.effects_of<KillActor>().empty());
    story.pass(2s);
    REQUIRE(story.effects_of<KillActor>().size() == 1);
}

TEST_CASE("an actor whose model does not load ends the agent with code 5")
{
    Story story(2);
    story.join();
    const auto first = story.newest_launch(0);
    const auto second = story.newest_launch(1);
    story.forget();

    story.actor_dies(first, 5, "exited with code 5");
    REQUIRE(story.sent<proto::Goodbye>().size() == 1);
    REQUIRE(story.effects_of<KillActor>().size() == 1);
    story.actor_dies(second);

    const auto exits = story.effects_of<Exit>();
    REQUIRE(exits.size() == 1);
    REQUIRE(exits[0].code == 5);
    REQUIRE(exits[0].reason.find("actor 0 (cpu)") == 0);
}

TEST_CASE("an actor that speaks another protocol version is refused")
{
    Story story;
    const auto actor = story.newest_launch();
    story.happen(ActorSpawned{actor, 1001});

    story.actor_says(actor, proto::ActorHello{7, 9, "actor of the future", {0}, 1001, 1});

    const auto refusals = story.told<proto::Refused>(actor);
    REQUIRE(refusals.size() == 1);
    REQUIRE(refusals[0].reason == proto::RefusalReason::protocol_version);
    REQUIRE(story.effects_of<KillActor>().size() == 1);
}

TEST_CASE("a stopping agent says goodbye to all, waits for its actors and leaves")
{
    Story story;
    story.join();
    const auto actor = story.actor_joins();
    story.assign(11);
    story.forget();

    story.happen(StopRequested{"SIGTERM"});
    REQUIRE(story.sent<proto::Goodbye>(Channel::control).size() == 1);
    REQUIRE(story.told<proto::Goodbye>(actor).size() == 1);
    REQUIRE(story.effects_of<Exit>().empty());

    story.actor_dies(actor, 0, "exited with code 0");
    REQUIRE(story.effects_of<Exit>().at(0).code == 0);
    REQUIRE(story.effects_of<SpawnActor>().empty());
    REQUIRE(story.sent<proto::ItemFailed>().empty());
}

TEST_CASE("an actor that does not leave is killed, and sooner at the second signal")
{
    for (const bool is_second_signal : {false, true}) {
        Story story;
        story.join();
        const auto actor = story.actor_joins();
        story.happen(StopRequested{"SIGTERM"});
        story.pass(1s);
        REQUIRE(story.effects_of<KillActor>().empty());

        if (is_second_signal) {
            story.happen(StopRequested{"SIGTERM"});
        } else {
            story.pass(4s);
        }
        REQUIRE(story.effects_of<KillActor>().size() == 1);
        story.actor_dies(actor);
        REQUIRE(story.effects_of<Exit>().size() == 1);
    }
}

TEST_CASE("an agent leaves even when an actor cannot be killed")
{
    Story story;
    story.actor_joins();
    story.happen(StopRequested{"SIGTERM"});

    story.pass(10s);

    REQUIRE(story.effects_of<Exit>().size() == 1);
}
