// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/coordinator/core_fixture.hpp"

using namespace sdfleet;
using namespace sdfleet::coordinator;

TEST_CASE("an agent that says hello is welcomed with epoch, heartbeat interval and lease")
{
    World world({}, {}, {}, 9);

    world.say("a", world.hello_of("a"));

    const auto welcome = world.take_one<proto::Welcome>("a");
    REQUIRE(welcome.epoch == 9);
    REQUIRE(welcome.heartbeat_interval_ms == 500);
    REQUIRE(welcome.lease_ms == 5000);
}

TEST_CASE("a peer of another protocol version is refused with both ranges named")
{
    World world;
    auto hello = world.hello_of("a");
    hello.protocol_min = 7;
    hello.protocol_max = 8;

    world.say("a", hello);
    world.say("c", proto::ClientHello{7, 8, "future"});

    for (const std::string peer : {"a", "c"}) {
        const auto refused = world.take_one<proto::Refused>(peer);
        REQUIRE(refused.reason == proto::RefusalReason::protocol_version);
        REQUIRE(refused.message.find("1 to 1") != std::string::npos);
        REQUIRE(refused.message.find("7 to 8") != std::string::npos);
    }
}

TEST_CASE("of two agents with one node id the newer start wins and the older is told at once, and again")
{
    World world;
    world.say("old", world.hello_of("a", 1, 1));
    world.say("old bulk", [&] {
        auto hello = world.hello_of("a", 1, 1);
        hello.channel = proto::Channel::bulk;
        return hello;
    }());

    world.say("new", world.hello_of("a", 1, 2));

    REQUIRE(world.take_one<proto::Refused>("old").reason == proto::RefusalReason::superseded);
    REQUIRE(world.take_one<proto::Refused>("old bulk").reason == proto::RefusalReason::superseded);
    world.say("old", proto::Heartbeat{});
    REQUIRE(world.take_one<proto::Refused>("old").reason == proto::RefusalReason::superseded);
    world.say("old again", world.hello_of("a", 1, 1));
    REQUIRE(world.take_one<proto::Refused>("old again").reason == proto::RefusalReason::superseded);
    world.say("new", proto::Heartbeat{3, {}, {}, {}});
    REQUIRE(world.take_one<proto::HeartbeatAck>("new").sequence == 3);
}

TEST_CASE("when the known agent is lost any start of that node is welcome, an older number too")
{
    World world;
    world.join("a", 1, 5);
    world.wait(6000);

    world.say("b", world.hello_of("a", 1, 2));

    REQUIRE(world.take<proto::Welcome>("b").size() == 1);
    world.say("a", proto::Heartbeat{});
    REQUIRE(world.take_one<proto::Refused>("a").reason == proto::RefusalReason::not_registered);
}

TEST_CASE("a stranger is asked to say hello, and what a peer may not send is dropped")
{
    World world;
    world.say("x", proto::Heartbeat{});
    REQUIRE(world.take_one<proto::Refused>("x").reason == proto::RefusalReason::not_registered);

    world.say("c", proto::ClientHello{});
    world.take<proto::Welcome>("c");
    world.say("c", proto::Heartbeat{});
    world.say("c", proto::Assign{});
    world.say("c", proto::ActorHello{});

    REQUIRE(world.inbox["c"].empty());
    REQUIRE(world.core.counters().misdirected == 3);
}

TEST_CASE("a message for another cluster is refused")
{
    World world;
    world.feed(PacketReceived{{"a"}, {"elsewhere"}, 0, world.hello_of("a"), {}, 0});
    REQUIRE(world.take_one<proto::Refused>("a").reason == proto::RefusalReason::other_cluster);
}

TEST_CASE("a hello that makes no sense is refused for good")
{
    World world;
    auto twice = world.hello_of("a", 2);
    twice.actors[1].slot = {0};

    world.say("a", twice);
    world.say("b", world.hello_of("../etc"));

    REQUIRE(world.take_one<proto::Refused>("a").reason == proto::RefusalReason::invalid_hello);
    REQUIRE(world.take_one<proto::Refused>("b").reason == proto::RefusalReason::invalid_hello);
}

TEST_CASE("a bulk connection without a control one is asked to begin with that")
{
    World world;
    auto bulk = world.hello_of("a");
    bulk.channel = proto::Channel::bulk;
    world.say("a bulk", bulk);
    REQUIRE(world.take_one<proto::Refused>("a bulk").reason == proto::RefusalReason::not_registered);
}

TEST_CASE("a silent node is suspect, gets no new work, and is trusted again when it speaks")
{
    World world;
    world.join("a");
    world.wait(2500);
    world.submit("j", echo_job(1));
    REQUIRE(world.take<proto::Assign>("a").empty());

    world.say("a", proto::Heartbeat{});

    REQUIRE(world.take<proto::Assign>("a").size() == 1);
}

TEST_CASE("a heartbeat tells what a lost update of an actor would have told")
{
    World world;
    auto hello = world.hello_of("a");
    const auto slot = hello.actors.at(0).slot;
    hello.actors = {{slot, "cpu", proto::ActorPhase::starting, 0, 0, ""}};
    world.say("a", hello);
    world.submit("j", echo_job(1));
    REQUIRE(world.take<proto::Assign>("a").empty());

    world.say("a", proto::Heartbeat{1, {}, {{slot, "cpu", proto::ActorPhase::ready, 4711, 0, ""}}, {}});

    REQUIRE(world.take<proto::Assign>("a").size() == 1);
}

TEST_CASE("the coordinator's own pause is not held against the nodes")
{
    World world;
    world.join("a");
    world.wait(1000);

    world.now.count += 60'000; // the process was stopped: no event, no tick
    world.feed(Tick{});
    world.say("a", proto::Heartbeat{});

    REQUIRE(world.take<proto::HeartbeatAck>("a").size() == 1);
    REQUIRE(world.take<proto::Refused>("a").empty());
}

TEST_CASE("nodes beyond the bound are told to try later, unless a lost one can make room")
{
    Limits limits;
    limits.nodes = 1;
    World world({}, limits);
    world.join("a");
    world.say("b", world.hello_of("b"));
    REQUIRE(world.take_one<proto::Refused>("b").reason == proto::RefusalReason::full);

    world.wait(6000);
    world.say("b", world.hello_of("b"));

    REQUIRE(world.take<proto::Welcome>("b").size() == 1);
}

TEST_CASE("the oldest idle client makes room for a new one")
{
    Limits limits;
    limits.peers = 2;
    World world({}, limits);
    world.say("c1", proto::ClientHello{});
    world.wait(10);
    world.say("c2", proto::ClientHello{});
    world.wait(10);
    world.say("c3", proto::ClientHello{});
    REQUIRE(world.take<proto::Welcome>("c3").size() == 1);

    world.say("c1", proto::ListJobs{});

    REQUIRE(world.take_one<proto::Refused>("c1").reason == proto::RefusalReason::not_registered);
}

TEST_CASE("nodes and models are listed with their actors and what they do")
{
    World world;
    world.join("a", 2);
    world.submit("j", drawing_job("m", 1));
    const auto assign = world.start_all("a").at(0);
    world.say("a", proto::StepProgress{assign.attempt_id, 3, 20});

    world.say("client", proto::ListNodes{});
    world.say("client", proto::ListModels{});

    const auto node = world.take_one<proto::NodeList>("client").nodes.at(0);
    REQUIRE(node.hostname == "host of a");
    REQUIRE(node.actors.at(0).step == 3);
    REQUIRE(node.actors.at(0).job_id.value == "j");
    REQUIRE(node.actors.at(1).in_flight == 0);
    const auto model = world.take_one<proto::ModelList>("client").models.at(0);
    REQUIRE(model.name == "m");
    REQUIRE(model.actors_ready == 2);
}
