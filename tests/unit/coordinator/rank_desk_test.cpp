// SPDX-License-Identifier: Apache-2.0
// How the ranks of a program find each other through the coordinator, and learn that one of them is gone.
#include "tests/unit/coordinator/program_story.hpp"

using namespace sdfleet;
using namespace sdfleet::coordinator;

namespace {

struct Groups : ProgramStory {
    /// Two ranks on node a, one on node b.
    Groups() : ProgramStory({{"a", 2}, {"b", 1}})
    {
        launch("p", program_of(3));
        start("a");
        start("b");
    }

    static proto::GroupJoin join_of(std::uint32_t rank, std::uint64_t epoch = 1)
    {
        const proto::GroupMember member{{rank}, "host", {"tcp://10.0.0.1:" + std::to_string(4000 + rank)}, "key"};
        return {{"p/default"}, {epoch}, 3, 10'000, member};
    }

    /// The agents' correlations for ranks 0, 1 and 2 are 11, 12 and 21.
    void all_join()
    {
        say("a", join_of(0), 11);
        say("b", join_of(2), 21);
        say("a", join_of(1), 12);
    }

    /// The correlations with which messages of one kind went to a node since the last call.
    template <class Body>
    std::vector<std::uint64_t> correlations(const std::string& node)
    {
        std::vector<std::uint64_t> found;
        std::erase_if(sends, [&](const Send& send) {
            if (send.peer.bytes != node || !std::holds_alternative<Body>(send.message)) {
                return false;
            }
            found.push_back(send.correlation);
            return true;
        });
        std::ranges::sort(found);
        return found;
    }
};

using Correlations = std::vector<std::uint64_t>;

} // namespace

TEST_CASE("when all ranks have joined each is told all the others, in its own name")
{
    Groups world;
    world.say("a", Groups::join_of(0), 11);
    world.say("b", Groups::join_of(2), 21);
    REQUIRE(world.correlations<proto::GroupFormed>("a").empty());

    world.say("a", Groups::join_of(1), 12);

    REQUIRE(world.correlations<proto::GroupFormed>("a") == Correlations{11, 12});
    REQUIRE(world.correlations<proto::GroupFormed>("b") == Correlations{21});
    const auto formed = world.take_one<proto::GroupFormed>("b");
    REQUIRE(formed.members.size() == 3);
    REQUIRE(formed.members[1].endpoints.front() == "tcp://10.0.0.1:4001");
}

TEST_CASE("a rank's death aborts its group on all other ranks at once")
{
    Groups world;
    world.all_join();

    world.exit("a", run_of("p"), 1, 1);

    REQUIRE(world.correlations<proto::GroupAbort>("a") == Correlations{11});
    REQUIRE(world.correlations<proto::GroupAbort>("b") == Correlations{21});
    const auto abort = world.take_one<proto::GroupAbort>("b");
    REQUIRE(abort.lost == std::vector<proto::Rank>{{1}});
    REQUIRE(abort.message.find("rank 1 (node a) ended with exit code 1") != std::string::npos);
}

TEST_CASE("with a node all its ranks leave the group")
{
    Groups world;
    world.all_join();

    world.say("b", proto::Goodbye{"maintenance"});

    REQUIRE(world.correlations<proto::GroupAbort>("a") == Correlations{11, 12});
    REQUIRE(world.take<proto::GroupAbort>("a").front().lost == std::vector<proto::Rank>{{2}});
    REQUIRE(world.correlations<proto::GroupAbort>("b").empty());
}

TEST_CASE("a rank that left before it ended harms nobody")
{
    Groups world;
    world.all_join();
    world.say("a", proto::GroupLeave{{"p/default"}, {1}, {1}}, 12);

    world.exit("a", run_of("p"), 1, 0);

    REQUIRE(world.correlations<proto::GroupAbort>("a").empty());
    REQUIRE(world.correlations<proto::GroupAbort>("b").empty());
}

TEST_CASE("a rank that gives up tells the others through the coordinator")
{
    Groups world;
    world.all_join();

    world.say("b", proto::GroupAbort{{"p/default"}, {1}, {}, "a tensor of the wrong size"}, 21);

    REQUIRE(world.correlations<proto::GroupAbort>("a") == Correlations{11, 12});
    REQUIRE(world.take<proto::GroupAbort>("a").front().message.find("wrong size") != std::string::npos);
    REQUIRE(world.correlations<proto::GroupAbort>("b").empty());
}

TEST_CASE("only ranks of programs that run on a node may join from there, in their epoch")
{
    Groups world;
    world.join("c", 1);
    const auto reason = [&](const std::string& node, const proto::GroupJoin& join) {
        world.say(node, join, 99);
        REQUIRE(world.correlations<proto::GroupRefused>(node) == Correlations{99});
        return world.take_one<proto::GroupRefused>(node).reason;
    };

    REQUIRE(reason("c", Groups::join_of(2)) == proto::GroupRefusal::unknown_group);
    REQUIRE(reason("a", Groups::join_of(0, 2)) == proto::GroupRefusal::unknown_group);
    auto strange = Groups::join_of(0);
    strange.group = {"q/default"};
    REQUIRE(reason("a", strange) == proto::GroupRefusal::unknown_group);
}

TEST_CASE("who does not join in time is named to those who did")
{
    Groups world;
    world.say("a", Groups::join_of(0), 11);
    world.say("b", Groups::join_of(2), 21);

    world.wait_in_peace(10'500, {"a", "b"}, "p");

    REQUIRE(world.correlations<proto::GroupRefused>("a") == Correlations{11});
    REQUIRE(world.correlations<proto::GroupRefused>("b") == Correlations{21});
    const auto refused = world.take_one<proto::GroupRefused>("b");
    REQUIRE(refused.reason == proto::GroupRefusal::timed_out);
    REQUIRE(refused.missing == std::vector<proto::Rank>{{1}});
}

TEST_CASE("the ranks of the next try form their group anew")
{
    ProgramStory plain({{"a", 1}});
    auto spec = program_of(1);
    spec.max_restarts = 1;
    plain.launch("p", spec);
    plain.start("a");
    auto join = Groups::join_of(0);
    join.world_size = 1;
    plain.say("a", join, 11);
    REQUIRE(plain.take<proto::GroupFormed>("a").size() == 1);
    plain.end("a", run_of("p"), 1);
    plain.start("a");

    plain.say("a", join, 12); // a process of the first try that should be dead
    REQUIRE(plain.take_one<proto::GroupRefused>("a").reason == proto::GroupRefusal::unknown_group);
    join.epoch = {2};
    plain.say("a", join, 13);

    REQUIRE(plain.take_one<proto::GroupFormed>("a").epoch == proto::Epoch{2});
}

TEST_CASE("a desk that is full turns newcomers away and keeps its members")
{
    Fleet fleet;
    Node& node = fleet.nodes()[{"a"}];
    node.id = {"a"};
    node.control = {"peer"};
    RankDesk desk(1);
    auto join = Groups::join_of(0);

    desk.join({{"a"}, {}, 1}, join, {});
    REQUIRE(desk.take_effects(fleet).empty());
    join.member.rank = {1};
    desk.join({{"a"}, {}, 2}, join, {});

    const auto effects = desk.take_effects(fleet);
    REQUIRE(effects.size() == 1);
    const auto& send = std::get<Send>(effects.front());
    REQUIRE(send.correlation == 2);
    REQUIRE(std::get<proto::GroupRefused>(send.message).reason == proto::GroupRefusal::full);
}
