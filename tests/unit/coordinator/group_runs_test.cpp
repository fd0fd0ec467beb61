// SPDX-License-Identifier: Apache-2.0
// Jobs that several actors draw together: all start at once or none, and a loss costs an epoch, not the job.
#include "tests/unit/coordinator/core_fixture.hpp"

#include <numeric>

using namespace sdfleet;
using namespace sdfleet::coordinator;

namespace {

proto::JobSpec group_job(std::size_t items, std::uint32_t group)
{
    auto spec = echo_job(items);
    spec.group = group;
    return spec;
}

proto::AssignGroup order_of(World& world, const std::string& node)
{
    return world.take_one<proto::AssignGroup>(node);
}

std::vector<proto::GroupItem> items_of(const proto::AssignGroup& order, std::uint32_t rank)
{
    std::vector<proto::GroupItem> items;
    for (const auto& item : order.items) {
        if (item.rank.value == rank) {
            items.push_back(item);
        }
    }
    return items;
}

/// The agent of `node` brings an item home.
void finish(World& world, const std::string& node, const proto::AssignGroup& order, const proto::GroupItem& item)
{
    world.say(node, proto::ItemDone{item.attempt_id, order.job_id, item.index, "text/plain", fake_sha256(), 5}, 0,
              {proto::Blob::of("result")});
}

void fail(World& world, const std::string& node, const proto::AssignGroup& order, const proto::GroupItem& item,
          proto::FailureReason reason)
{
    world.say(node, proto::ItemFailed{item.attempt_id, order.job_id, item.index, reason, "x"});
}

proto::JobSummary summary(World& world, const std::string& job)
{
    world.say("client", proto::GetJob{{job}, 0, 256});
    return world.take_one<proto::JobDetail>("client").job;
}

} // namespace

TEST_CASE("a group starts when all its actors are there, with equal shares in order, and rank 0 brings everything home")
{
    World world;
    world.join("a", 1);
    world.join("b", 1);
    world.submit("job", group_job(5, 2));

    const auto first = order_of(world, "a");
    const auto second = order_of(world, "b");
    REQUIRE(first.epoch == second.epoch);
    REQUIRE(first.group == proto::GroupId{"job/images"});
    REQUIRE(std::pair(first.rank.value, second.rank.value) == std::pair(0u, 1u));
    REQUIRE(items_of(first, 0).size() == 3);
    REQUIRE(items_of(first, 1).size() == 2);
    REQUIRE(items_of(first, 0).back().index.value == 2);
    REQUIRE(world.take<proto::Assign>("a").empty());

    for (const auto& item : first.items) {
        finish(world, "a", first, item);
    }
    REQUIRE(world.take<proto::ResultAck>("a").size() == 5);
    REQUIRE(summary(world, "job").state == proto::JobState::done);
    REQUIRE(world.take<proto::GroupAbort>("b").empty());
}

TEST_CASE("a group that cannot come together ever is refused, and says why")
{
    World world;
    world.join("a", 2);
    world.submit("job", group_job(1, 3));
    REQUIRE(world.take_one<proto::RequestFailed>("client").message == "a group of 3 actors is wanted; the fleet has 2");

    auto nccl = drawing_job("m", 1);
    nccl.group = 2;
    nccl.gather = proto::Gather::nccl;
    world.submit("job", nccl);
    REQUIRE(world.take_one<proto::RequestFailed>("client").message.find("with a GPU of their own") !=
            std::string::npos);
}

TEST_CASE("a waiting group gets the next actors that become free, before other work")
{
    World world;
    world.join("a", 1);
    world.join("b", 1);
    world.submit("stream", echo_job(50));
    const auto on_a = world.start_all("a");
    const auto on_b = world.start_all("b");
    world.submit("job", group_job(2, 2));
    REQUIRE(world.take<proto::AssignGroup>("a").empty());

    world.finish("a", on_a.front());
    REQUIRE(world.take<proto::Assign>("a").empty());
    world.finish("b", on_b.front());
    world.finish("a", on_a.back());
    world.finish("b", on_b.back());
    REQUIRE(world.take<proto::AssignGroup>("a").size() == 1);
    REQUIRE(world.take<proto::AssignGroup>("b").size() == 1);
}

TEST_CASE("a lost node aborts the epoch on every survivor; what was drawn counts, the rest is drawn in the next one")
{
    World world;
    world.join("a", 1);
    world.join("b", 1);
    world.join("c", 1);
    world.submit("job", group_job(6, 2));
    const auto order = order_of(world, "a");
    order_of(world, "b");

    world.say("b", proto::Goodbye{"power failure"});

    const auto abort = world.take_one<proto::GroupAbort>("a");
    REQUIRE(abort.epoch == order.epoch);
    REQUIRE(abort.lost == std::vector<proto::Rank>{{1}});
    const auto own = items_of(order, 0);
    finish(world, "a", order, own[0]);
    for (std::size_t i = 1; i < own.size(); ++i) {
        fail(world, "a", order, own[i], proto::FailureReason::cancelled);
    }
    const auto next = order_of(world, "a");
    REQUIRE(order_of(world, "c").epoch == next.epoch);
    REQUIRE(next.epoch > order.epoch);
    REQUIRE(next.items.size() == 5);
    for (const auto& item : next.items) {
        finish(world, "a", next, item);
    }
    REQUIRE(summary(world, "job").state == proto::JobState::done);
}

TEST_CASE("an actor without a share of its own is a member all the same")
{
    World world;
    world.join("a", 1);
    world.join("b", 1);
    world.submit("job", group_job(1, 2));
    const auto order = order_of(world, "a");
    order_of(world, "b");
    world.submit("other", echo_job(1));
    REQUIRE(world.take<proto::Assign>("b").empty());

    world.say("b", proto::ActorUpdate{{{0}, "cpu", proto::ActorPhase::restarting, 0, 1, "was killed"}});

    REQUIRE(world.take<proto::GroupAbort>("a").size() == 1);
}

TEST_CASE("an item that cannot be drawn fails, and the others are drawn without it")
{
    World world;
    world.join("a", 2);
    world.submit("job", group_job(4, 2));
    const auto orders = world.take<proto::AssignGroup>("a");
    REQUIRE(orders.size() == 2);

    const auto own = items_of(orders[0], 1);
    fail(world, "a", orders[1], own[0], proto::FailureReason::not_finite);
    for (const auto& item : orders[0].items) {
        if (item.attempt_id != own[0].attempt_id) {
            fail(world, "a", orders[0], item, proto::FailureReason::cancelled);
        }
    }

    const auto again = world.take<proto::AssignGroup>("a");
    REQUIRE(again.size() == 2);
    REQUIRE(again[0].items.size() == 3);
    for (const auto& item : again[0].items) {
        finish(world, "a", again[0], item);
    }
    const auto end = summary(world, "job");
    REQUIRE(end.state == proto::JobState::failed);
    REQUIRE(std::pair(end.done, end.failed) == std::pair(3u, 1u));
}

TEST_CASE("cancelling a group's job ends its epoch and frees its actors")
{
    World world;
    world.join("a", 2);
    world.submit("job", group_job(4, 2));
    const auto order = world.take<proto::AssignGroup>("a").front();

    world.say("client", proto::CancelJob{{"job"}});
    REQUIRE(world.take<proto::GroupAbort>("a").size() == 1);
    for (const auto& item : order.items) {
        fail(world, "a", order, item, proto::FailureReason::cancelled);
    }

    world.submit("other", echo_job(2));
    REQUIRE(world.take<proto::Assign>("a").size() == 2);
}

TEST_CASE("members that never answer after an abort do not keep the job for ever")
{
    World world;
    world.join("a", 1);
    world.join("b", 1);
    world.submit("job", group_job(2, 2));
    order_of(world, "a");
    order_of(world, "b");
    world.say("b", proto::ActorUpdate{{{0}, "cpu", proto::ActorPhase::restarting, 0, 1, "was killed"}});
    world.say("b", proto::ActorUpdate{{{0}, "cpu", proto::ActorPhase::ready, 7, 1, ""}});

    world.wait_with_heartbeats(60'000, {"a", "b"});

    REQUIRE(world.take<proto::AssignGroup>("a").size() >= 1);
}
