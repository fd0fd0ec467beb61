// SPDX-License-Identifier: Apache-2.0
// Actors that draw several items at once.
#include "tests/unit/coordinator/core_fixture.hpp"

using namespace sdfleet;
using namespace sdfleet::coordinator;

namespace {

struct BatchWorld : World {
    using World::World;

    void join_with_batch(const std::string& node, std::uint32_t max_batch)
    {
        say(node, hello_of(node, 1, 1, {"m"}, max_batch));
        REQUIRE(take<proto::Welcome>(node).size() == 1);
    }

    proto::ActorReport actor_of(const std::string& node)
    {
        say("observer", proto::ClientHello{});
        say("observer", proto::ListNodes{false});
        for (const auto& report : take_one<proto::NodeList>("observer").nodes) {
            if (report.node_id.value == node) {
                return report.actors.at(0);
            }
        }
        FAIL("no such node");
        return {};
    }
};

proto::JobSpec echoes_of(std::uint32_t delay_ms, std::uint32_t items)
{
    auto spec = echo_job(items);
    spec.parameters.kind = proto::EchoParameters{delay_ms, 0};
    return spec;
}

} // namespace

TEST_CASE("an actor has as many items as it draws at once, and one staged")
{
    BatchWorld world;
    world.join_with_batch("a", 4);
    world.submit("j", echo_job(9));

    const auto assigns = world.start_all("a");
    REQUIRE(assigns.size() == 5);

    world.finish("a", assigns[2]);
    REQUIRE(world.take<proto::Assign>("a").size() == 1);
    REQUIRE(world.actor_of("a").in_flight == 5);
}

TEST_CASE("items are spread over idle actors, then over the smaller batches, and staged last of all")
{
    BatchWorld world;
    world.join_with_batch("a", 1);
    world.join_with_batch("b", 4);
    world.join_with_batch("c", 4);

    world.submit("j", echo_job(7));
    REQUIRE(world.start_all("a").size() == 1);
    REQUIRE(world.start_all("b").size() == 3);
    REQUIRE(world.start_all("c").size() == 3);

    world.submit("k", echo_job(3));
    REQUIRE(world.take<proto::Assign>("b").size() == 1);
    REQUIRE(world.take<proto::Assign>("c").size() == 1);
    REQUIRE(world.take<proto::Assign>("a").size() == 1);
}

TEST_CASE("items of several jobs share a batch when they fit each other")
{
    BatchWorld world;
    world.join_with_batch("a", 4);

    world.submit("j", echoes_of(10, 1));
    world.submit("k", echoes_of(10, 1));

    REQUIRE(world.start_all("a").size() == 2);
    world.say("observer", proto::ClientHello{});
    world.say("observer", proto::GetStatus{});
    REQUIRE(world.take_one<proto::Status>("observer").items_batched == 2);
}

TEST_CASE("an item that does not fit waits behind the batch, which then is not filled up before it")
{
    BatchWorld world;
    world.join_with_batch("a", 4);
    world.submit("j", echoes_of(10, 2));
    auto drawn = world.start_all("a");
    REQUIRE(drawn.size() == 2);

    world.submit("k", echoes_of(20, 5));
    REQUIRE(world.take_one<proto::Assign>("a").job_id.value == "k");
    world.submit("l", echoes_of(10, 1));
    REQUIRE(world.take<proto::Assign>("a").empty());

    // When the first batch is through the staged item's own one begins.
    world.finish("a", drawn[0]);
    REQUIRE(world.take<proto::Assign>("a").empty());
    world.finish("a", drawn[1]);
    const auto next = world.take<proto::Assign>("a");
    REQUIRE(next.size() == 4);
    REQUIRE(std::ranges::count(next, std::string("k"), [](const auto& assign) { return assign.job_id.value; }) >= 3);
}

TEST_CASE(
    "an item that fits joins a batch while a higher priority does not wait, and is staged behind it when one does")
{
    BatchWorld world;
    world.join_with_batch("a", 3);
    world.submit("j", echoes_of(10, 1));
    world.start_all("a");
    auto urgent = echoes_of(20, 2);
    urgent.priority = 5;

    world.submit("k", urgent);
    world.submit("l", echoes_of(10, 1));

    REQUIRE(world.take_one<proto::Assign>("a").job_id.value == "k");
}

TEST_CASE("what waits behind a batch is taken back for an idle actor, what is in it is not")
{
    BatchWorld world;
    world.join_with_batch("a", 2);
    world.submit("j", echo_job(3));
    const auto assigns = world.take<proto::Assign>("a");
    REQUIRE(assigns.size() == 3);
    for (const auto& assign : assigns) {
        world.accept("a", assign);
    }

    world.join_with_batch("b", 2);

    REQUIRE(world.take_one<proto::CancelAttempt>("a").attempt_id == assigns[2].attempt_id);
}

TEST_CASE("an item that may be poison is tried alone, and nothing is condemned for what it did")
{
    BatchWorld world;
    world.join_with_batch("a", 3);
    world.submit("j", echo_job(3)); // item 0 kills every actor

    std::uint32_t deaths = 0;
    std::set<std::uint32_t> done;
    for (int round = 0; round < 10 && world.summary("j").state == proto::JobState::running; ++round) {
        // As an agent would: one that is to be alone is given when nothing else is, the others together.
        auto assigns = world.take<proto::Assign>("a");
        REQUIRE_FALSE(assigns.empty());
        while (!assigns.empty()) {
            const auto end =
                assigns.front().alone ? assigns.begin() + 1 : std::ranges::find(assigns, true, &proto::Assign::alone);
            std::vector<proto::Assign> given(assigns.begin(), end);
            assigns.erase(assigns.begin(), end);
            for (const auto& assign : given) {
                world.accept("a", assign);
                world.say("a", proto::Started{assign.attempt_id});
            }
            const bool is_fatal = std::ranges::any_of(given, [](const auto& a) { return a.index.value == 0; });
            deaths += is_fatal ? 1 : 0;
            for (const auto& assign : given) {
                if (is_fatal) {
                    world.fail("a", assign, proto::FailureReason::actor_died);
                } else {
                    done.insert(assign.index.value);
                    world.finish("a", assign);
                }
            }
        }
    }

    REQUIRE(world.summary("j").failed == 1);
    REQUIRE(world.item("j", 0).state == proto::ItemState::failed);
    REQUIRE(done == std::set<std::uint32_t>{1, 2});
    REQUIRE(deaths == 3);
}

TEST_CASE("an agent whose actor says that it draws nothing, or too much, at once is refused")
{
    for (const std::uint32_t max_batch : {0U, 65U}) {
        BatchWorld world;

        world.say("a", world.hello_of("a", 1, 1, {"m"}, max_batch));

        const auto refused = world.take_one<proto::Refused>("a");
        REQUIRE(refused.reason == proto::RefusalReason::invalid_hello);
        REQUIRE(refused.message.find(std::to_string(max_batch) + " items at once, not 1 to 64") != std::string::npos);
    }
}
