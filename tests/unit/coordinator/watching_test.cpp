// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/coordinator/core_fixture.hpp"

using namespace sdfleet;
using namespace sdfleet::coordinator;

TEST_CASE("a watcher waits, and is answered at once when an item is done")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(2));
    const auto assigns = world.start_all("a");
    world.say("client", proto::WatchJob{{"j"}, 0, 100, 10'000});
    world.wait(100);
    auto changes = world.take_one<proto::JobChanges>("client");
    REQUIRE(changes.items.size() == 2);
    REQUIRE(changes.actors.size() == 1);

    world.say("client", proto::WatchJob{{"j"}, changes.last_change, 100, 10'000});
    REQUIRE(world.take<proto::JobChanges>("client").empty());
    world.finish("a", assigns[0]);
    changes = world.take_one<proto::JobChanges>("client");

    REQUIRE(changes.items.size() == 1);
    REQUIRE(changes.items[0].state == proto::ItemState::done);
    REQUIRE(changes.job.done == 1);
}

TEST_CASE("a cursor sees every change once, the newest state of each item, in pieces if need be")
{
    World world;
    world.join("a", 4);
    world.submit("j", echo_job(8));
    for (const auto& assign : world.start_all("a")) {
        world.finish("a", assign);
    }
    std::set<std::uint32_t> seen;
    std::uint64_t cursor = 0;
    bool more = true;
    while (more) {
        world.say("client", proto::WatchJob{{"j"}, cursor, 3, 0});
        const auto changes = world.take_one<proto::JobChanges>("client");
        for (const auto& item : changes.items) {
            REQUIRE(seen.insert(item.index.value).second);
            REQUIRE(item.state == proto::ItemState::done);
        }
        cursor = changes.last_change;
        more = changes.more;
    }
    REQUIRE(seen.size() == 8);
}

TEST_CASE("progress is told at most once in 50 ms")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(1));
    const auto assign = world.start_all("a").at(0);
    world.say("client", proto::WatchJob{{"j"}, 0, 100, 10'000});
    world.wait(1);
    auto cursor = world.take_one<proto::JobChanges>("client").last_change;

    int answers = 0;
    world.say("client", proto::WatchJob{{"j"}, cursor, 100, 10'000});
    for (std::uint32_t step = 1; step <= 1000; ++step) {
        world.say("a", proto::StepProgress{assign.attempt_id, step, 1000});
        world.wait(1);
        for (const auto& changes : world.take<proto::JobChanges>("client")) {
            ++answers;
            world.say("client", proto::WatchJob{{"j"}, changes.last_change, 100, 10'000});
        }
    }

    REQUIRE(answers >= 15);
    REQUIRE(answers <= 21);
}

TEST_CASE("a watcher of a job in which nothing happens is answered when its patience ends")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(1));
    world.say("client", proto::WatchJob{{"j"}, 1'000, 100, 3'000});
    world.wait_with_heartbeats(2'500, {"a"});
    REQUIRE(world.take<proto::JobChanges>("client").empty());

    world.wait_with_heartbeats(1'000, {"a"});

    REQUIRE(world.take_one<proto::JobChanges>("client").items.empty());
}

TEST_CASE("a watcher of a job that is over never waits")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(1));
    world.finish("a", world.start_all("a").at(0));
    world.say("client", proto::WatchJob{{"j"}, 0, 100, 60'000});
    const auto changes = world.take_one<proto::JobChanges>("client");

    world.say("client", proto::WatchJob{{"j"}, changes.last_change, 100, 60'000});

    REQUIRE(world.take_one<proto::JobChanges>("client").job.state == proto::JobState::done);
    world.say("client", proto::WatchJob{{"nobody"}, 0, 100, 60'000});
    REQUIRE(world.take_one<proto::RequestFailed>("client").error == proto::RequestError::unknown_job);
}

TEST_CASE("a cancellation wakes the watchers")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(4));
    world.say("client", proto::WatchJob{{"j"}, 1'000, 100, 60'000});
    world.take<proto::JobChanges>("client");

    world.say("other", proto::ClientHello{});
    world.say("other", proto::CancelJob{{"j"}});

    REQUIRE(world.take_one<proto::JobChanges>("client").job.state == proto::JobState::cancelled);
}

TEST_CASE("parked watchers are bounded for each client, and go with it")
{
    Limits limits;
    limits.watchers_per_client = 2;
    World world({}, limits);
    world.join("a");
    world.submit("j", echo_job(1));
    for (int i = 0; i < 3; ++i) {
        world.say("client", proto::WatchJob{{"j"}, 1'000, 100, 60'000});
    }
    REQUIRE(world.take_one<proto::RequestFailed>("client").error == proto::RequestError::overloaded);

    world.feed(PeerUnreachable{{"client"}});
    world.finish("a", world.start_all("a").at(0));

    REQUIRE(world.take<proto::JobChanges>("client").empty());
}
