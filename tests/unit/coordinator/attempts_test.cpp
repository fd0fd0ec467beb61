// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/coordinator/core_fixture.hpp"

#include <algorithm>

using namespace sdfleet;
using namespace sdfleet::coordinator;

TEST_CASE("a result is acknowledged only after artifact and item are on disk")
{
    Options options;
    options.small_artifact_bytes = 0; // a file of its own
    World world(options);
    world.join("a");
    world.submit("j", echo_job(1));
    const auto assign = world.start_all("a").at(0);
    world.disk = World::Disk::silent;

    world.finish("a", assign);
    world.answer_disk(); // the artifact is saved, the item not yet
    REQUIRE(world.take<proto::ResultAck>("a").empty());
    REQUIRE(world.item("j", 0).state == proto::ItemState::running);
    world.answer_disk();

    REQUIRE(world.take_one<proto::ResultAck>("a").verdict == proto::Verdict::accepted);
    REQUIRE(world.item("j", 0).state == proto::ItemState::done);
    REQUIRE(world.summary("j").state == proto::JobState::done);
}

TEST_CASE("a result that comes twice is accepted once and acknowledged each time")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(1));
    const auto assign = world.start_all("a").at(0);
    world.disk = World::Disk::silent;
    world.finish("a", assign);
    world.finish("a", assign);
    world.answer_disk();
    world.answer_disk();
    REQUIRE(world.take<proto::ResultAck>("a").size() == 1);
    world.disk = World::Disk::works;

    world.finish("a", assign);

    REQUIRE(world.take_one<proto::ResultAck>("a").verdict == proto::Verdict::accepted);
    REQUIRE(world.stored.size() == 2); // the job and one outcome
}

TEST_CASE("a lost node's items are drawn by the other, and its late result is stale")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(2));
    const auto first = world.start_all("a");
    world.join("b");

    world.wait_with_heartbeats(6000, {"b"});

    const auto again = world.start_all("b");
    REQUIRE(again.size() == 2);
    world.say("a2", world.hello_of("a"));
    world.say("a2", proto::ItemDone{first[0].attempt_id, {"j"}, first[0].index, "", fake_sha256(), 1}, 0,
              {proto::Blob::of("x")});
    REQUIRE(world.take_one<proto::ResultAck>("a2").verdict == proto::Verdict::stale);
    world.finish("b", again[0]);
    world.finish("b", again[1]);
    REQUIRE(world.summary("j").state == proto::JobState::done);
    REQUIRE(world.core.counters().stale_results == 1);
}

TEST_CASE("an agent that says goodbye has its work given to others at once")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(1));
    world.start_all("a");
    world.join("b");

    world.say("a", proto::Goodbye{"stopped"});

    REQUIRE(world.take<proto::Assign>("b").size() == 1);
}

TEST_CASE("an item whose actor died is tried again, up to five tries")
{
    Options options;
    options.deaths_per_item = 100;
    World world(options);
    world.join("a");
    world.submit("j", echo_job(1));

    for (int attempt = 0; attempt < 5; ++attempt) {
        REQUIRE(world.item("j", 0).state == proto::ItemState::assigned);
        world.fail("a", world.start_all("a").at(0), proto::FailureReason::actor_died, "signal 9");
    }

    REQUIRE(world.item("j", 0).state == proto::ItemState::failed);
    REQUIRE(world.item("j", 0).attempts == 5);
    REQUIRE(world.summary("j").state == proto::JobState::failed);
}

TEST_CASE("an item that killed three actors is poison: it fails with the story and the others go on")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(2));

    for (int death = 0; death < 3; ++death) {
        for (const auto& assign : world.start_all("a")) {
            if (assign.index.value == 0) {
                world.fail("a", assign, proto::FailureReason::actor_died, "signal 11");
            } else {
                world.finish("a", assign);
            }
        }
    }

    const auto poison = world.item("j", 0);
    REQUIRE(poison.state == proto::ItemState::failed);
    REQUIRE(poison.error.find("3 actors died with it: a/0: the actor died (signal 11)") == 0);
    REQUIRE(world.item("j", 1).state == proto::ItemState::done);
}

TEST_CASE("an item that only waited behind the one that killed its actor is not blamed")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(2));
    const auto assigns = world.take<proto::Assign>("a");
    world.accept("a", assigns[0]);
    world.accept("a", assigns[1]);
    world.say("a", proto::Started{assigns[0].attempt_id});

    world.fail("a", assigns[1], proto::FailureReason::actor_died);
    world.fail("a", assigns[0], proto::FailureReason::actor_died);

    REQUIRE(world.item("j", 0).attempts == 1);
    REQUIRE(world.item("j", 1).attempts == 0);
}

TEST_CASE("what cannot succeed at another try fails at once")
{
    const auto reason =
        GENERATE(proto::FailureReason::bad_request, proto::FailureReason::bad_model, proto::FailureReason::not_finite);
    World world;
    world.join("a");
    world.submit("j", echo_job(1));
    const auto assign = world.start_all("a").at(0);

    world.fail("a", assign, reason, "why");

    REQUIRE(world.item("j", 0).state == proto::ItemState::failed);
    REQUIRE(world.item("j", 0).error.find("why") != std::string::npos);
    REQUIRE(world.take_one<proto::ResultAck>("a").verdict == proto::Verdict::accepted);
}

TEST_CASE("a damaged result is refused and the item drawn again")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(1));
    world.corrupts_artifacts = true;
    world.finish("a", world.start_all("a").at(0));
    REQUIRE(world.take_one<proto::ResultAck>("a").verdict == proto::Verdict::corrupt);

    world.corrupts_artifacts = false;
    world.finish("a", world.start_all("a").at(0));

    REQUIRE(world.summary("j").state == proto::JobState::done);
}

TEST_CASE("while the disk is full results are kept, no work is given out, and all goes on when there is room")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(5));
    const auto assigns = world.start_all("a");
    world.disk = World::Disk::full;
    world.finish("a", assigns[0]);
    REQUIRE(world.start_all("a").size() == 1); // the fault was not known yet
    world.finish("a", assigns[1]);
    world.wait_with_heartbeats(3000, {"a"});
    REQUIRE(world.take<proto::ResultAck>("a").empty());
    REQUIRE(world.take<proto::Assign>("a").empty());
    REQUIRE(world.alarms.size() == 1);

    world.disk = World::Disk::works;
    world.wait_with_heartbeats(2000, {"a"});

    REQUIRE(world.take<proto::ResultAck>("a").size() == 2);
    REQUIRE(world.summary("j").done == 2);
    REQUIRE(world.take<proto::Assign>("a").size() == 1);
}

TEST_CASE("an attempt that the agent does not accept is given to another actor")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(1));
    const auto assign = world.take<proto::Assign>("a").at(0);
    world.join("b");

    world.held["a"] = {assign.attempt_id}; // it lists the attempt, but never says Accepted
    world.wait_with_heartbeats(11'000, {"a", "b"});

    REQUIRE(world.take<proto::Assign>("b").size() == 1);
    const auto cancels = world.take<proto::CancelAttempt>("a");
    REQUIRE(!cancels.empty()); // repeated for as long as the agent lists it
    REQUIRE(std::ranges::all_of(cancels, [&](const auto& cancel) { return cancel.attempt_id == assign.attempt_id; }));
}

TEST_CASE("an attempt that is missing in its node's heartbeats is given out again")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(1));
    const auto lost = world.start_all("a").at(0);
    world.held["a"].clear();

    world.wait_with_heartbeats(2500, {"a"});
    REQUIRE(world.take<proto::Assign>("a").empty());
    world.wait_with_heartbeats(3000, {"a"});

    REQUIRE(world.take<proto::Assign>("a").at(0).attempt_id != lost.attempt_id);
}

TEST_CASE("an attempt without progress is taken away")
{
    Options options;
    options.progress_timeout = {20'000};
    World world(options);
    world.join("a");
    world.submit("j", echo_job(1));
    const auto assign = world.start_all("a").at(0);
    world.wait_with_heartbeats(15'000, {"a"});
    world.say("a", proto::StepProgress{assign.attempt_id, 1, 20});
    world.wait_with_heartbeats(15'000, {"a"});
    REQUIRE(world.take<proto::CancelAttempt>("a").empty());

    world.join("b");
    world.wait_with_heartbeats(10'000, {"a", "b"});

    REQUIRE(!world.take<proto::CancelAttempt>("a").empty());
    REQUIRE(world.take<proto::Assign>("b").size() == 1);
}

TEST_CASE("one death is counted once, also when an agent that says hello again still lists the try")
{
    Options options;
    options.deaths_per_item = 2;
    World world(options);
    world.join("a");
    world.join("b");
    world.submit("j", echo_job(1));
    const auto assign = world.start_all("a").at(0);
    auto hello = world.hello_of("a");
    hello.actors.front().phase = proto::ActorPhase::failed;
    hello.attempts = {{assign.attempt_id, {"j"}, {0}, {0}}};
    world.say("a", proto::ActorUpdate{hello.actors.front()});
    world.say("a", hello);

    world.fail("a", assign, proto::FailureReason::actor_died);

    REQUIRE(world.item("j", 0).state != proto::ItemState::failed);
}

TEST_CASE("an agent is told again and again to stop what the coordinator does not know")
{
    World world;
    world.join("a");
    world.held["a"] = {{77}};

    world.wait_with_heartbeats(1'000, {"a"});

    const auto cancels = world.take<proto::CancelAttempt>("a");
    REQUIRE(cancels.size() >= 2);
    REQUIRE(cancels.front().attempt_id == proto::AttemptId{77});
}

TEST_CASE("after a restart running attempts are adopted, finished ones accepted, unwanted ones cancelled")
{
    std::vector<RestoredJob> jobs(1);
    jobs[0].job = {{"j"}, std::make_shared<const proto::JobSpec>(echo_job(3)), 1, {}};
    World world({}, {}, jobs, 2);
    auto hello = world.hello_of("a", 2);
    const proto::AttemptId first{(1ULL << 32) | 10};
    const proto::AttemptId second{(1ULL << 32) | 11};
    const proto::AttemptId unknown{(1ULL << 32) | 12};
    const proto::AttemptId from_the_future{(9ULL << 32) | 1};
    hello.attempts = {{first, {"j"}, {0}, {0}},
                      {second, {"j"}, {1}, {1}},
                      {unknown, {"gone"}, {0}, {0}},
                      {from_the_future, {"j"}, {2}, {0}}};

    world.say("a", hello);

    REQUIRE(world.take<proto::CancelAttempt>("a") == std::vector<proto::CancelAttempt>{{unknown}, {from_the_future}});
    REQUIRE(world.take_one<proto::Assign>("a").index.value == 2);
    world.say("a", proto::ItemDone{first, {"j"}, {0}, "", fake_sha256(), 1}, 0, {proto::Blob::of("x")});
    REQUIRE(world.take_one<proto::ResultAck>("a").verdict == proto::Verdict::accepted);
    REQUIRE(world.item("j", 0).state == proto::ItemState::done);
    REQUIRE(world.item("j", 1).state == proto::ItemState::assigned);
}

TEST_CASE("an agent that was given up for lost keeps what nobody else has begun")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(1));
    const auto assign = world.start_all("a").at(0);
    world.wait(6000);
    REQUIRE(world.item("j", 0).state == proto::ItemState::queued);

    auto hello = world.hello_of("a");
    hello.attempts = {{assign.attempt_id, {"j"}, {0}, {0}}};
    world.say("a", hello);
    REQUIRE(world.take<proto::CancelAttempt>("a").empty());
    world.finish("a", assign);

    REQUIRE(world.summary("j").state == proto::JobState::done);
    REQUIRE(world.take<proto::Assign>("a").empty());
}

TEST_CASE("the same agent connecting again keeps its work; what it does not hold is given out again")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(2));
    const auto assigns = world.start_all("a");
    auto hello = world.hello_of("a");
    hello.attempts = {{assigns[0].attempt_id, {"j"}, assigns[0].index, {0}}};
    world.held["a2"] = {assigns[0].attempt_id};

    world.say("a2", hello);
    world.wait_with_heartbeats(5000, {"a2"});

    const auto again = world.take<proto::Assign>("a2");
    REQUIRE(again.size() == 1);
    REQUIRE(again[0].index == assigns[1].index);
    world.finish("a2", assigns[0]);
    REQUIRE(world.summary("j").done == 1);
}

TEST_CASE("an actor that failed for good loses its work to others")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(1));
    world.start_all("a");
    world.join("b");

    world.say("a", proto::ActorUpdate{{{0}, "cpu", proto::ActorPhase::failed, 0, 9, "no memory"}});

    REQUIRE(world.take<proto::Assign>("b").size() == 1);
}
