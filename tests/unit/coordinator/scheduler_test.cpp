// SPDX-License-Identifier: Apache-2.0
#include "proto/split.hpp"
#include "tests/unit/coordinator/core_fixture.hpp"

using namespace sdfleet;
using namespace sdfleet::coordinator;

namespace {

std::vector<std::uint32_t> indices(const std::vector<proto::Assign>& assigns)
{
    std::vector<std::uint32_t> list;
    for (const auto& assign : assigns) {
        list.push_back(assign.index.value);
    }
    return list;
}

/// Draws everything that the node is given until it is given nothing more.
std::vector<std::uint32_t> draw_all(World& world, const std::string& node)
{
    std::vector<std::uint32_t> drawn;
    for (auto assigns = world.start_all(node); !assigns.empty(); assigns = world.start_all(node)) {
        for (const auto& assign : assigns) {
            drawn.push_back(assign.index.value);
            world.finish(node, assign);
        }
    }
    return drawn;
}

} // namespace

TEST_CASE("an actor has one item running and one staged, and gets the next when one is done")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(4));
    const auto assigns = world.start_all("a");
    REQUIRE(indices(assigns) == std::vector<std::uint32_t>{0, 1});

    world.finish("a", assigns[0]);

    REQUIRE(indices(world.take<proto::Assign>("a")) == std::vector<std::uint32_t>{2});
}

TEST_CASE("every idle actor gets an item before a busy one gets a second")
{
    World world;
    world.join("a", 2);
    world.join("b", 1);

    world.submit("j", echo_job(3));

    REQUIRE(world.take<proto::Assign>("a").size() == 2);
    REQUIRE(world.take<proto::Assign>("b").size() == 1);
}

TEST_CASE("jobs are served in turn")
{
    World world;
    world.join("a");
    world.submit("j1", echo_job(100));
    auto in_hand = world.start_all("a");
    world.submit("j2", echo_job(100));

    std::vector<std::string> order;
    for (int i = 0; i < 4; ++i) {
        world.finish("a", in_hand.at(0));
        in_hand = world.start_all("a");
        order.push_back(in_hand.at(0).job_id.value);
    }

    REQUIRE(order == std::vector<std::string>{"j2", "j1", "j2", "j1"});
}

TEST_CASE("only an actor that is ready and serves the model gets an item")
{
    World world;
    world.say("a", world.hello_of("a", 1, 1, {"other"}));
    auto starting = world.hello_of("b", 1, 1, {"m"});
    starting.actors[0].phase = proto::ActorPhase::starting;
    world.say("b", starting);
    world.submit("j", drawing_job("m", 1));
    REQUIRE(world.take<proto::Assign>("a").empty());
    REQUIRE(world.take<proto::Assign>("b").empty());
    REQUIRE(world.summary("j").waiting_for == "no actor with model 'm' is ready: 1 starting");

    world.say("b", proto::ActorUpdate{{{0}, "cpu", proto::ActorPhase::ready, 1, 0, ""}});

    REQUIRE(world.take<proto::Assign>("b").size() == 1);
    REQUIRE(world.summary("j").waiting_for.empty());
}

TEST_CASE("split contiguous divides the items as accelerate does")
{
    const auto items = GENERATE(1U, 2U, 3U, 5U, 7U, 12U);
    World world;
    world.join("a", 2);
    world.join("b", 1);

    world.submit("j", echo_job(items, proto::Split::contiguous));

    std::map<std::uint32_t, std::vector<std::uint32_t>> by_slot_of_a;
    for (auto assigns = world.start_all("a"); !assigns.empty(); assigns = world.start_all("a")) {
        for (const auto& assign : assigns) {
            by_slot_of_a[assign.slot.value].push_back(assign.index.value);
            world.finish("a", assign);
        }
    }
    const std::vector<std::vector<std::uint32_t>> shares{by_slot_of_a[0], by_slot_of_a[1], draw_all(world, "b")};
    for (std::size_t rank = 0; rank < 3; ++rank) {
        const auto range = proto::split_between_processes(items, 3, rank);
        std::vector<std::uint32_t> expected;
        for (auto i = range.begin; i < range.end; ++i) {
            expected.push_back(static_cast<std::uint32_t>(i));
        }
        REQUIRE(shares[rank] == expected);
    }
    REQUIRE(world.summary("j").state == proto::JobState::done);
}

TEST_CASE("split rank gives each item to the actor it names")
{
    World world;
    world.join("a");
    world.join("b");
    auto spec = echo_job(3, proto::Split::rank);
    spec.items[0].rank = 1;
    spec.items[1].rank = 0;
    spec.items[2].rank = 1;

    world.submit("j", spec);

    REQUIRE(draw_all(world, "a") == std::vector<std::uint32_t>{1});
    REQUIRE(draw_all(world, "b") == std::vector<std::uint32_t>{0, 2});
}

TEST_CASE("a rank that no actor has is refused, naming both numbers")
{
    World world;
    world.join("a");
    auto spec = echo_job(1, proto::Split::rank);
    spec.items[0].rank = 4;

    world.submit("j", spec);

    const auto failed = world.take_one<proto::RequestFailed>("client");
    REQUIRE(failed.error == proto::RequestError::unservable);
    REQUIRE(failed.message.find("rank 4, but only 1 actors serve echo") != std::string::npos);
}

TEST_CASE("when the actor of a rank is lost the others draw its items")
{
    World world;
    world.join("a");
    world.join("b");
    world.submit("j", echo_job(4, proto::Split::contiguous));
    world.wait(10'000); // the grace after a start is over; nobody spoke, both are lost
    world.inbox["a"].clear();
    world.say("a", world.hello_of("a"));

    REQUIRE(draw_all(world, "a").size() == 4);
}

TEST_CASE("after a restart pinned items wait for their actor, but not for ever")
{
    std::vector<RestoredJob> jobs(1);
    jobs[0].job = {{"j"},
                   std::make_shared<const proto::JobSpec>(echo_job(2, proto::Split::contiguous)),
                   1,
                   {{{"a"}, {0}}, {{"b"}, {0}}}};
    World world({}, {}, jobs, 2);
    world.join("a");
    REQUIRE(draw_all(world, "a") == std::vector<std::uint32_t>{0});

    world.wait_with_heartbeats(10'500, {"a"});

    REQUIRE(draw_all(world, "a") == std::vector<std::uint32_t>{1});
}

TEST_CASE("a staged item is taken back for an actor that has nothing to do")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(2));
    const auto assigns = world.take<proto::Assign>("a");
    world.accept("a", assigns[0]);
    world.say("a", proto::Started{assigns[0].attempt_id});
    world.accept("a", assigns[1]);

    world.join("b");
    REQUIRE(world.take_one<proto::CancelAttempt>("a").attempt_id == assigns[1].attempt_id);
    world.fail("a", assigns[1], proto::FailureReason::cancelled);

    REQUIRE(indices(world.take<proto::Assign>("b")) == std::vector<std::uint32_t>{1});
    REQUIRE(world.take<proto::Assign>("a").empty());
    REQUIRE(world.item("j", 1).attempts == 0);
}

TEST_CASE("when it was too late to take an item back its result counts")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(2));
    const auto assigns = world.take<proto::Assign>("a");
    world.accept("a", assigns[0]);
    world.accept("a", assigns[1]);
    world.join("b");
    REQUIRE(world.take<proto::CancelAttempt>("a").size() == 1);

    world.finish("a", assigns[0]);
    world.finish("a", assigns[1]);

    REQUIRE(world.summary("j").state == proto::JobState::done);
    REQUIRE(world.take<proto::Assign>("b").empty());
}

TEST_CASE("items that nobody can serve for long fail, and say why")
{
    Options options;
    options.unservable_timeout = {60'000};
    World world(options);
    world.join("a");
    world.submit("j", drawing_job("m", 3));
    world.finish("a", world.start_all("a").at(0));
    world.say("a", proto::Goodbye{});
    REQUIRE(world.summary("j").waiting_for == "no node has joined");

    world.wait(61'000);

    const auto job = world.summary("j");
    REQUIRE(job.state == proto::JobState::failed);
    REQUIRE(job.done == 1);
    REQUIRE(world.item("j", 2).error.find("no node has joined for 60 s") == 0);
}

TEST_CASE("a fleet that comes back in time goes on where it was")
{
    World world;
    world.join("a");
    world.submit("j", drawing_job("m", 3));
    world.say("a", proto::Goodbye{});
    world.wait(590'000);
    world.join("b");

    REQUIRE(draw_all(world, "b").size() == 3);
}

TEST_CASE("an agent that says overloaded is left alone for a moment")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(1));
    world.fail("a", world.take<proto::Assign>("a").at(0), proto::FailureReason::overloaded);
    REQUIRE(world.take<proto::Assign>("a").empty());

    world.wait_with_heartbeats(1500, {"a"});

    REQUIRE(world.take<proto::Assign>("a").size() == 1);
}

TEST_CASE("a new process of an actor that was left alone gets work at once")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(1));
    world.fail("a", world.take<proto::Assign>("a").at(0), proto::FailureReason::overloaded);
    REQUIRE(world.take<proto::Assign>("a").empty());

    world.say("a", proto::ActorUpdate{{{0}, "cpu", proto::ActorPhase::ready, 4711, 1, ""}});

    REQUIRE(world.take<proto::Assign>("a").size() == 1);
}
