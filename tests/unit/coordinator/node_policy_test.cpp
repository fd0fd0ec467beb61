// SPDX-License-Identifier: Apache-2.0
// What operators decide about nodes, mass silence, and the fleet in numbers.
#include "tests/unit/coordinator/core_fixture.hpp"

using namespace sdfleet;
using namespace sdfleet::coordinator;

namespace {

proto::NodeReport drain(World& world, const std::string& node, bool is_on = true)
{
    world.say("operator", proto::ClientHello{});
    world.say("operator", proto::DrainNode{{node}, is_on});
    return world.take_one<proto::NodeChanged>("operator").node;
}

proto::Status status_of(World& world)
{
    world.say("observer", proto::ClientHello{});
    world.say("observer", proto::GetStatus{});
    return world.take_one<proto::Status>("observer");
}

} // namespace

TEST_CASE("a draining node finishes what runs, gives back what waits, and gets nothing new")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(3));
    const auto assigns = world.take<proto::Assign>("a");
    REQUIRE(assigns.size() == 2);
    world.accept("a", assigns[0]);
    world.say("a", proto::Started{assigns[0].attempt_id});
    world.accept("a", assigns[1]);

    REQUIRE(drain(world, "a").is_draining);
    REQUIRE(world.take_one<proto::CancelAttempt>("a").attempt_id == assigns[1].attempt_id);
    world.fail("a", assigns[1], proto::FailureReason::cancelled);
    world.finish("a", assigns[0]);

    REQUIRE(world.take<proto::Assign>("a").empty());
    REQUIRE(world.summary("j").waiting_for == "no actor is ready: 1 draining");
    REQUIRE(world.item("j", 1).attempts == 0);

    REQUIRE_FALSE(drain(world, "a", false).is_draining);
    REQUIRE(world.take<proto::Assign>("a").size() == 2);
}

TEST_CASE("draining outlives the node's restart and the coordinator's")
{
    World world;
    world.join("a");
    drain(world, "a");

    world.restart();
    world.join("a", 1, 2);
    world.join("b");
    world.submit("j", echo_job(2));

    REQUIRE(world.take<proto::Assign>("a").empty());
    REQUIRE(world.take<proto::Assign>("b").size() == 2);
}

TEST_CASE("a fenced node's work moves at once, and whatever it says later does not count")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(1));
    const auto assign = world.start_all("a").at(0);
    world.join("b");

    world.say("operator", proto::ClientHello{});
    world.say("operator", proto::FenceNode{{"a"}});

    const auto node = world.take_one<proto::NodeChanged>("operator").node;
    REQUIRE(node.state == proto::NodeState::lost);
    REQUIRE(node.detail == "an operator fenced it");
    REQUIRE(world.take_one<proto::Refused>("a").reason == proto::RefusalReason::fenced);
    const auto second = world.start_all("b").at(0);

    world.finish("a", assign);
    REQUIRE(world.take_one<proto::Refused>("a").reason == proto::RefusalReason::fenced);
    REQUIRE(world.summary("j").done == 0);
    world.say("a", world.hello_of("a"));
    REQUIRE(world.take_one<proto::Refused>("a").reason == proto::RefusalReason::fenced);

    world.finish("b", second);
    REQUIRE(world.summary("j").state == proto::JobState::done);
    world.join("a", 1, 2);
}

TEST_CASE("a fence holds after the coordinator's restart")
{
    World world;
    world.join("a");
    world.say("operator", proto::ClientHello{});
    world.say("operator", proto::FenceNode{{"a"}});

    world.restart();
    world.say("a", world.hello_of("a"));

    REQUIRE(world.take_one<proto::Refused>("a").reason == proto::RefusalReason::fenced);
}

TEST_CASE("a decision is told only when it is on disk, and not taken when the disk fails")
{
    World world;
    world.join("a");
    world.disk = World::Disk::full;
    world.say("operator", proto::ClientHello{});

    world.say("operator", proto::DrainNode{{"a"}, true});

    REQUIRE(world.take_one<proto::RequestFailed>("operator").error == proto::RequestError::storage);
    world.disk = World::Disk::works;
    world.submit("j", echo_job(1));
    REQUIRE(world.take<proto::Assign>("a").size() == 1);
}

TEST_CASE("a node that nobody knows cannot be decided about; the answer names those that are there")
{
    World world;
    world.join("a");
    world.say("operator", proto::ClientHello{});
    world.say("operator", proto::FenceNode{{"x"}});

    const auto failed = world.take_one<proto::RequestFailed>("operator");
    REQUIRE(failed.error == proto::RequestError::unknown_node);
    REQUIRE(failed.message == "there is no node 'x'; the fleet has: a");
}

TEST_CASE("when most nodes fall silent at once their work is held for them")
{
    World world;
    for (const std::string node : {"a", "b", "c", "d"}) {
        world.join(node);
    }
    world.submit("j", echo_job(4));
    const auto assign = world.start_all("b").at(0);

    world.wait_with_heartbeats(20'000, {"a"});

    REQUIRE(world.alarms.size() == 1);
    REQUIRE(status_of(world).is_braking);
    REQUIRE(status_of(world).nodes_suspect == 3);
    for (const std::string node : {"b", "c", "d"}) {
        world.say(node, world.hello_of(node));
    }
    REQUIRE_FALSE(status_of(world).is_braking);
    REQUIRE(status_of(world).nodes_lost_total == 0);
    world.finish("b", assign);
    REQUIRE(world.take<proto::ResultAck>("b").back().verdict != proto::Verdict::corrupt);
}

TEST_CASE("mass silence is put up with for a while only")
{
    Options options;
    options.brake_timeout = {30'000};
    World world(options);
    for (const std::string node : {"a", "b", "c", "d"}) {
        world.join(node);
    }

    world.wait_with_heartbeats(30'000, {"a"});
    REQUIRE(status_of(world).nodes_lost == 0);
    world.wait_with_heartbeats(10'000, {"a"});

    REQUIRE(status_of(world).nodes_lost == 3);
}

TEST_CASE("patience that ended is there again once most nodes were heard")
{
    Options options;
    options.brake_timeout = {10'000};
    World world(options);
    for (const std::string node : {"a", "b", "c", "d", "e"}) {
        world.join(node);
    }
    world.wait_with_heartbeats(18'000, {"a"});
    REQUIRE(status_of(world).nodes_lost == 4);
    for (const std::string node : {"b", "c", "d", "e"}) {
        world.say(node, world.hello_of(node));
    }

    world.wait_with_heartbeats(8'000, {"a"});

    REQUIRE(status_of(world).is_braking);
    REQUIRE(status_of(world).nodes_lost == 0);
}

TEST_CASE("one silent node of many, or one of three, is given up as usual")
{
    const int count = GENERATE(1, 2, 3, 8);
    World world;
    std::vector<std::string> others;
    for (int i = 0; i < count; ++i) {
        const auto node = "n" + std::to_string(i);
        world.join(node);
        if (i > 0) {
            others.push_back(node);
        }
    }

    world.wait_with_heartbeats(6'000, others);

    REQUIRE(status_of(world).nodes_lost == 1);
    REQUIRE(world.alarms.empty());
}

TEST_CASE("the oldest finished jobs leave the books, their results with them")
{
    Limits limits;
    limits.finished_jobs = 2;
    World world({}, limits);
    world.join("a");
    for (int i = 0; i < 4; ++i) {
        world.submit("j" + std::to_string(i), echo_job(1));
        world.finish("a", world.start_all("a").at(0));
    }

    const auto status = status_of(world);

    REQUIRE(status.jobs_kept == 2);
    REQUIRE(status.items_done_total == 4);
    world.say("observer", proto::GetJob{{"j0"}, 0, 10});
    REQUIRE(world.take_one<proto::RequestFailed>("observer").error == proto::RequestError::unknown_job);
    REQUIRE(world.summary("j3").state == proto::JobState::done);
}

TEST_CASE("finished jobs leave when they have too many items together; the newest one stays whatever it has")
{
    Limits limits;
    limits.finished_items = 3;
    World world({}, limits);
    world.join("a");
    const auto draw = [&world](const std::string& id, std::uint32_t items) {
        world.submit(id, echo_job(items));
        for (auto assigns = world.start_all("a"); !assigns.empty(); assigns = world.start_all("a")) {
            for (const auto& assign : assigns) {
                world.finish("a", assign);
            }
        }
    };

    draw("two", 2);
    draw("one", 1);
    REQUIRE(status_of(world).jobs_kept == 2);
    draw("four", 4);

    REQUIRE(status_of(world).jobs_kept == 1);
    REQUIRE(world.summary("four").done == 4);
}

TEST_CASE("a job that is not over is never forgotten, however many bytes are kept")
{
    Limits limits;
    limits.artifact_bytes = 1;
    World world({}, limits);
    world.join("a");
    world.submit("running", echo_job(2));
    world.finish("a", world.start_all("a").at(0));
    REQUIRE(world.summary("running").done == 1);

    world.submit("over", echo_job(1));
    for (auto assigns = world.start_all("a"); !assigns.empty(); assigns = world.start_all("a")) {
        for (const auto& assign : assigns) {
            if (assign.job_id.value == "over") {
                world.finish("a", assign);
            }
        }
    }

    REQUIRE(world.summary("running").done == 1);
}

TEST_CASE("the fleet in numbers counts what happened, and tells recent faults, newest first")
{
    World world;
    world.join("a");
    world.join("b");
    world.submit("j", echo_job(1));
    world.finish("a", world.start_all("a").at(0));
    world.say("b", proto::Goodbye{});

    const auto status = status_of(world);

    REQUIRE(status.nodes_alive == 1);
    REQUIRE(status.nodes_lost == 1);
    REQUIRE(status.actors_idle == 1);
    REQUIRE(status.items_done_total == 1);
    REQUIRE(status.assigns_total == 1);
    REQUIRE(status.bytes_stored == 6);
    std::uint64_t counted = 0;
    for (const auto& bucket : status.dispatch) {
        counted += bucket.count;
    }
    REQUIRE(counted == 1);
    REQUIRE(status.faults.at(0).text.find("node b is lost") == 0);
}
