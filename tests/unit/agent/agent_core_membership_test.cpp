// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/agent_story.hpp"

using namespace sdfleet;
using namespace sdfleet::agent;
using namespace std::chrono_literals;
using proto::Channel;

TEST_CASE("an agent greets on control first, on bulk once it is welcome, and then sends heartbeats")
{
    Story story;
    story.forget();

    story.happen(LinkWritable{Channel::bulk});
    REQUIRE(story.sent<proto::AgentHello>().empty());

    story.happen(LinkWritable{Channel::control});
    const auto hellos = story.sent<proto::AgentHello>(Channel::control);
    REQUIRE(hellos.size() == 1);
    REQUIRE(hellos[0].node_id.value == "node-a");
    REQUIRE(hellos[0].incarnation.value == 7);
    REQUIRE(hellos[0].models.size() == 1);
    REQUIRE(hellos[0].actors.size() == 1);
    REQUIRE(hellos[0].actors[0].phase == proto::ActorPhase::starting);

    story.coordinator_says(proto::Welcome{1, "", 1, 500, 5000});
    REQUIRE(story.sent<proto::AgentHello>(Channel::bulk).size() == 1);
    REQUIRE(story.sent<proto::AgentHello>(Channel::bulk)[0].channel == Channel::bulk);
    REQUIRE(story.sent<proto::Heartbeat>().size() == 1);

    story.coordinator_says(proto::Welcome{1, "", 1, 500, 5000}, Channel::bulk);
    story.forget();
    story.pass(2s);
    REQUIRE(story.sent<proto::Heartbeat>().size() == 4);
    REQUIRE(story.sent<proto::AgentHello>().empty());
}

TEST_CASE("an actor that gets ready between a hello and its welcome is known after the welcome")
{
    Story story;
    story.happen(LinkWritable{Channel::control});
    story.actor_joins();
    REQUIRE(story.sent<proto::AgentHello>(Channel::control).back().actors[0].phase == proto::ActorPhase::starting);

    story.coordinator_says(proto::Welcome{1, "", 1, 500, 5000});

    const auto heartbeats = story.sent<proto::Heartbeat>();
    REQUIRE(heartbeats.size() == 1);
    REQUIRE(heartbeats[0].actors.size() == 1);
    REQUIRE(heartbeats[0].actors[0].phase == proto::ActorPhase::ready);
}

TEST_CASE("messages carry the cluster and the version of the welcome")
{
    Story story;
    story.join();

    const auto sends = story.effects_of<SendToCoordinator>();

    REQUIRE(sends.back().packet.envelope.cluster.value == "fleet");
    REQUIRE(sends.back().packet.envelope.version == 1);
}

TEST_CASE("unanswered hellos are repeated, each time later, and it is said that nobody answers")
{
    Story story;
    story.happen(LinkWritable{Channel::control});
    story.forget();

    story.pass(60s);

    const auto hellos = story.sent<proto::AgentHello>().size();
    REQUIRE(hellos >= 12);
    REQUIRE(hellos <= 20);
    const auto logs = story.effects_of<Log>();
    REQUIRE(std::ranges::count_if(logs, [](const Log& log) { return log.text.find("no answer") == 0; }) == 2);
}

TEST_CASE("a coordinator that stays silent is dialled anew, one that answers is not")
{
    Story story;
    story.happen(LinkWritable{Channel::control});
    story.pass(20s);
    REQUIRE(story.effects_of<Redial>().size() >= 2);

    story.join();
    story.forget();
    story.pass_in_peace(60s);

    REQUIRE(story.effects_of<Redial>().empty());
}

TEST_CASE("a coordinator that forgot us is greeted anew, once, with the attempts in hand")
{
    Story story;
    story.join();
    story.actor_joins();
    story.assign(11);
    story.assign(12);
    story.forget();

    for (int i = 0; i < 5; ++i) {
        story.coordinator_says(proto::Refused{proto::RefusalReason::not_registered, "", 1, 1});
    }

    const auto hellos = story.sent<proto::AgentHello>(Channel::control);
    REQUIRE(hellos.size() == 1);
    REQUIRE(hellos[0].attempts.size() == 2);
    REQUIRE(hellos[0].attempts[0] == proto::AttemptReport{{11}, {"job"}, {11}, {0}});
    REQUIRE(hellos[0].actors[0].phase == proto::ActorPhase::ready);
}

TEST_CASE("a new connection is greeted at once")
{
    Story story;
    story.join();
    story.forget();

    story.happen(LinkWritable{Channel::control});
    story.happen(LinkWritable{Channel::bulk});

    REQUIRE(story.sent<proto::AgentHello>(Channel::control).size() == 1);
    REQUIRE(story.sent<proto::AgentHello>(Channel::bulk).size() == 1);
}

TEST_CASE("refusals that will not change end the agent with a clear line")
{
    for (const auto reason : {proto::RefusalReason::superseded, proto::RefusalReason::protocol_version,
                              proto::RefusalReason::invalid_hello}) {
        Story story;
        story.happen(LinkWritable{Channel::control});
        const auto actor = story.actor_joins();

        story.coordinator_says(proto::Refused{reason, "node-a runs elsewhere, started later", 1, 1});
        REQUIRE(story.told<proto::Goodbye>(actor).size() == 1);
        REQUIRE(story.effects_of<Exit>().empty());
        story.actor_dies(actor, 0, "exited with code 0");

        const auto exits = story.effects_of<Exit>();
        REQUIRE(exits.size() == 1);
        REQUIRE(exits[0].code == 1);
        REQUIRE(exits[0].reason.find("node-a runs elsewhere") != std::string::npos);
        REQUIRE_FALSE(story.core.next_deadline());
    }
}

TEST_CASE("a full coordinator is asked again later")
{
    Story story;
    story.happen(LinkWritable{Channel::control});
    story.coordinator_says(proto::Refused{proto::RefusalReason::full, "1000 agents are here", 1, 1});
    story.forget();

    story.pass(4s);
    REQUIRE(story.sent<proto::AgentHello>().empty());
    story.pass(2s);
    REQUIRE(story.sent<proto::AgentHello>().size() == 1);
}

TEST_CASE("heartbeats name the attempts in hand, finished ones included until they are acknowledged")
{
    Story story;
    story.join();
    const auto actor = story.actor_joins();
    story.assign(11);
    story.assign(12);
    story.actor_finishes(actor, 11);
    story.forget();

    story.pass(500ms);
    REQUIRE(story.sent<proto::Heartbeat>()[0].attempts == std::vector<proto::AttemptId>{{12}, {11}});

    story.coordinator_says(proto::ResultAck{{11}, proto::Verdict::accepted});
    story.forget();
    story.pass(500ms);
    REQUIRE(story.sent<proto::Heartbeat>()[0].attempts == std::vector<proto::AttemptId>{{12}});
}

TEST_CASE("acknowledged heartbeats keep the lease; silence ends it and the work in hand")
{
    Story story;
    story.join();
    const auto actor = story.actor_joins();
    story.pass_in_peace(20s);
    story.assign(11);
    story.assign(12);
    story.forget();

    story.pass(4s);
    story.actor_says(actor, proto::Heartbeat{});
    REQUIRE(story.told<proto::CancelAttempt>(actor).empty());
    story.pass(1500ms);

    REQUIRE(story.told<proto::CancelAttempt>(actor).size() == 2);
    REQUIRE(story.told<proto::CancelAttempt>(actor)[0].attempt_id.value == 11);
    REQUIRE_FALSE(story.sent<proto::AgentHello>(Channel::control).empty());
    REQUIRE(story.sent<proto::AgentHello>(Channel::control).back().attempts.empty());

    story.forget();
    story.actor_says(actor, proto::ItemFailed{{12}, {}, {}, proto::FailureReason::cancelled, ""});
    story.actor_says(actor, proto::ItemFailed{{11}, {}, {}, proto::FailureReason::cancelled, ""});
    story.join(2);
    REQUIRE(story.sent<proto::ItemFailed>().empty());
    REQUIRE(story.told<proto::Assign>(actor).empty());

    story.assign(21);
    REQUIRE(story.told<proto::Assign>(actor).size() == 1);
}

TEST_CASE("work that finished around the loss of the lease is offered to the next coordinator, which decides")
{
    Story story;
    story.join();
    const auto actor = story.actor_joins();
    story.assign(11);
    story.pass(4s);
    story.actor_says(actor, proto::Heartbeat{});
    story.pass(2s);
    story.actor_finishes(actor, 11);
    story.forget();

    story.join(2);

    REQUIRE(story.sent<proto::AgentHello>(Channel::control)[0].attempts.size() == 1);
    REQUIRE(story.sent<proto::ItemDone>(Channel::bulk).size() == 1);
    story.coordinator_says(proto::ResultAck{{11}, proto::Verdict::stale});
    story.forget();
    story.join(3);
    REQUIRE(story.sent<proto::ItemDone>().empty());
}

TEST_CASE("the lease counts from when the acknowledged heartbeat was sent")
{
    Story story;
    story.join();
    story.pass(500ms);
    const auto early = story.sent<proto::Heartbeat>().front();
    story.pass(4s);
    story.coordinator_says(proto::HeartbeatAck{early.sequence, 5000});
    story.forget();

    story.pass(600ms);

    const auto logs = story.effects_of<Log>();
    REQUIRE(std::ranges::any_of(logs, [](const Log& log) { return log.text.find("lease") != std::string::npos; }));
}

TEST_CASE("the work of another cluster is dropped")
{
    Story story;
    story.join();
    const auto actor = story.actor_joins();
    story.assign(11);
    story.actor_finishes(actor, 11);
    story.assign(12);
    story.forget();

    story.coordinator_says(proto::Refused{proto::RefusalReason::other_cluster, "", 1, 1});

    REQUIRE(story.told<proto::CancelAttempt>(actor).size() == 1);
    const auto sends = story.effects_of<SendToCoordinator>();
    REQUIRE(sends.size() == 1);
    REQUIRE(std::get<proto::AgentHello>(sends[0].packet.message).attempts.empty());
    REQUIRE(sends[0].packet.envelope.cluster.value.empty());
}
