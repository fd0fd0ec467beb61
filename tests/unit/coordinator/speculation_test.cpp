// SPDX-License-Identifier: Apache-2.0
// Priorities, shares, loaded models, and second copies of items that hold up the end.
#include "tests/unit/coordinator/core_fixture.hpp"

using namespace sdfleet;
using namespace sdfleet::coordinator;

namespace {

void finish_after(World& world, const std::string& node, const proto::Assign& assign, std::int64_t elapsed_ms)
{
    std::erase(world.held[node], assign.attempt_id);
    world.say(node,
              proto::ItemDone{assign.attempt_id, assign.job_id, assign.index, "text/plain", fake_sha256(),
                              static_cast<std::uint64_t>(elapsed_ms)},
              0, {proto::Blob::of("result")});
}

/// What the node is given next when it finishes what it has, `count` times.
std::vector<std::string> draw_jobs(World& world, const std::string& node, std::vector<proto::Assign> in_hand, int count,
                                   std::int64_t step_ms = 100)
{
    std::vector<std::string> order;
    for (int i = 0; i < count; ++i) {
        const auto* picture = std::get_if<proto::DiffusionParameters>(&in_hand.front().parameters.kind);
        finish_after(world, node, in_hand.front(), picture != nullptr ? picture->num_inference_steps * step_ms : 5);
        in_hand.erase(in_hand.begin());
        for (auto& assign : world.start_all(node)) {
            order.push_back(assign.job_id.value);
            in_hand.push_back(std::move(assign));
        }
    }
    return order;
}

proto::JobSpec urgent(proto::JobSpec spec, std::int32_t priority)
{
    spec.priority = priority;
    return spec;
}

/// Two nodes that both have learnt how long items of model m take them, and nothing else to do.
void teach(World& world, std::int64_t pace_of_a, std::int64_t pace_of_b)
{
    world.join("a");
    world.join("b");
    world.submit("lesson", drawing_job("m", 2));
    finish_after(world, "a", world.start_all("a").at(0), pace_of_a);
    finish_after(world, "b", world.start_all("b").at(0), pace_of_b);
}

} // namespace

TEST_CASE("a job of higher priority goes first, whenever it came")
{
    World world;
    world.join("a");
    world.submit("low", urgent(echo_job(10), -5));
    const auto in_hand = world.start_all("a");
    world.submit("high", urgent(echo_job(2), 5));

    REQUIRE(draw_jobs(world, "a", in_hand, 4) == std::vector<std::string>{"high", "high", "low", "low"});
}

TEST_CASE("jobs of one priority share by time, not by items")
{
    Options options;
    options.model_stay = {0};
    World world(options);
    world.say("a", world.hello_of("a", 1, 1, {"m", "n"}));
    auto slow = drawing_job("m", 50);
    auto quick = drawing_job("n", 50);
    std::get<proto::DiffusionParameters>(slow.parameters.kind).num_inference_steps = 40;
    std::get<proto::DiffusionParameters>(quick.parameters.kind).num_inference_steps = 10;
    world.submit("slow", slow);
    const auto in_hand = world.start_all("a");
    world.submit("quick", quick);

    const auto order = draw_jobs(world, "a", in_hand, 22);

    const auto quick_items = std::ranges::count(order, "quick");
    REQUIRE(quick_items >= 3 * (22 - quick_items));
    REQUIRE(quick_items < 22);
}

TEST_CASE("an actor stays with its loaded model for a while, then gives the other job its share")
{
    Options options;
    options.model_stay = {30'000}; // 6 items of 50 steps at the 100 ms that are guessed for each
    World world(options);
    world.say("a", world.hello_of("a", 1, 1, {"m", "n"}));
    world.submit("m-job", drawing_job("m", 50));
    const auto in_hand = world.start_all("a");
    world.submit("n-job", drawing_job("n", 50));

    const auto order = draw_jobs(world, "a", in_hand, 24);

    std::size_t changes = 0;
    for (std::size_t i = 1; i < order.size(); ++i) {
        changes += order[i] != order[i - 1] ? 1 : 0;
    }
    REQUIRE(std::ranges::count(order, "n-job") >= 6);
    REQUIRE(changes <= 4);
}

TEST_CASE("of two idle actors the one with the model in memory gets the item")
{
    World world;
    world.join("a");
    world.join("b");
    world.submit("first", drawing_job("m", 2));
    world.finish("a", world.start_all("a").at(0));
    world.finish("b", world.start_all("b").at(0));
    world.say("a", proto::ActorUpdate{{{0}, "cpu", proto::ActorPhase::restarting, 0, 1, ""}});
    world.say("a", proto::ActorUpdate{{{0}, "cpu", proto::ActorPhase::ready, 4711, 1, ""}});

    world.submit("second", drawing_job("m", 1));

    REQUIRE(world.take<proto::Assign>("a").empty());
    REQUIRE(world.take<proto::Assign>("b").size() == 1);
}

TEST_CASE("the last item at a slow actor is begun again at an idle one, and the first result counts")
{
    World world;
    teach(world, 100'000, 5'000);
    world.submit("j", drawing_job("m", 1));
    const auto slow = world.start_all("a").at(0);

    world.wait_with_heartbeats(1'000, {"a", "b"});

    const auto copy = world.start_all("b").at(0);
    REQUIRE(copy.index == slow.index);
    REQUIRE(copy.attempt_id != slow.attempt_id);
    REQUIRE(world.core.counters().speculated == 1);
    world.finish("b", copy);
    REQUIRE(world.summary("j").state == proto::JobState::done);
    REQUIRE(world.take_one<proto::CancelAttempt>("a").attempt_id == slow.attempt_id);

    world.inbox["a"].clear();
    world.finish("a", slow);

    REQUIRE(world.take_one<proto::ResultAck>("a").verdict == proto::Verdict::stale);
    REQUIRE(world.item("j", 0).node_id.value == "b");
}

TEST_CASE("when the copy fails the first try goes on, and the other way round")
{
    const bool copy_fails = GENERATE(true, false);
    World world;
    teach(world, 100'000, 5'000);
    world.submit("j", drawing_job("m", 1));
    const auto slow = world.start_all("a").at(0);
    world.wait_with_heartbeats(1'000, {"a", "b"});
    const auto copy = world.start_all("b").at(0);

    world.fail(copy_fails ? "b" : "a", copy_fails ? copy : slow, proto::FailureReason::out_of_memory);
    REQUIRE(world.summary("j").running == 1);
    world.finish(copy_fails ? "a" : "b", copy_fails ? slow : copy);

    REQUIRE(world.summary("j").state == proto::JobState::done);
    REQUIRE(world.core.counters().retries == 0);
}

TEST_CASE("when both nodes of a copied item are lost it waits for the next")
{
    World world;
    teach(world, 100'000, 5'000);
    world.submit("j", drawing_job("m", 1));
    world.start_all("a");
    world.wait_with_heartbeats(1'000, {"a", "b"});
    REQUIRE(world.start_all("b").size() == 1);

    world.say("a", proto::Goodbye{});
    world.say("b", proto::Goodbye{});
    world.join("c");

    REQUIRE(world.start_all("c").size() == 1);
}

TEST_CASE("actors of the same pace do not repeat each other's work")
{
    World world;
    teach(world, 10'000, 10'000);
    world.submit("j", drawing_job("m", 1));
    REQUIRE(world.start_all("a").size() == 1);

    world.wait_with_heartbeats(9'000, {"a", "b"});

    REQUIRE(world.take<proto::Assign>("b").empty());
}

TEST_CASE("a slow actor does not take a staged item from a fast one that would be done before it")
{
    World world;
    teach(world, 100'000, 5'000);
    world.say("a", proto::Goodbye{});
    world.submit("j", drawing_job("m", 2));
    REQUIRE(world.start_all("b").size() == 2);

    world.say("a", world.hello_of("a", 1, 2));
    world.say("a", proto::ActorUpdate{{{0}, "cpu", proto::ActorPhase::ready, 100, 0, ""}});

    REQUIRE(world.take<proto::CancelAttempt>("b").empty());
}
