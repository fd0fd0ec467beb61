// SPDX-License-Identifier: Apache-2.0
// How an agent speaks for its ranks with the coordinator.
#include "tests/unit/agent/rank_story.hpp"

using namespace sdfleet;
using namespace sdfleet::agent;
using namespace std::chrono_literals;

namespace {

struct Desk : RankStory {
    explicit Desk(Limits limits = {}) : RankStory(2, limits)
    {
        start(2);
        forget();
    }

    static proto::GroupJoin join_of(std::uint32_t rank, std::uint64_t epoch = 1)
    {
        return {{"p/default"}, {epoch}, 2, 10'000, {{rank}, "host", {"tcp://10.0.0.1:4000"}, "key"}};
    }

    void rank_says(const std::string& peer, proto::Message message)
    {
        happen(FromRank{peer, {{}, std::move(message), {}}});
    }

    void answer(std::uint64_t correlation, proto::Message message)
    {
        proto::Packet packet;
        packet.envelope.cluster = {"fleet"};
        packet.envelope.correlation = correlation;
        packet.message = std::move(message);
        happen(FromCoordinator{proto::Channel::control, std::move(packet)});
    }

    /// Of the messages of one kind that went to the coordinator since the last forget().
    template <class Body>
    std::vector<std::uint64_t> correlations() const
    {
        std::vector<std::uint64_t> found;
        for (const auto& send : effects_of<SendToCoordinator>()) {
            if (std::holds_alternative<Body>(send.packet.message)) {
                found.push_back(send.packet.envelope.correlation);
            }
        }
        return found;
    }

    template <class Body>
    std::vector<std::string> peers_told() const
    {
        std::vector<std::string> found;
        for (const auto& send : effects_of<SendToRank>()) {
            if (std::holds_alternative<Body>(send.packet.message)) {
                found.push_back(send.peer);
            }
        }
        return found;
    }
};

using Peers = std::vector<std::string>;

} // namespace

TEST_CASE("each rank's join travels under a correlation of its own, and the answer finds the way back")
{
    Desk desk;
    desk.rank_says("zero", Desk::join_of(0));
    desk.rank_says("one", Desk::join_of(1));
    const auto names = desk.correlations<proto::GroupJoin>();
    REQUIRE(names.size() == 2);
    REQUIRE(names[0] != names[1]);
    REQUIRE(desk.sent<proto::GroupJoin>()[1] == Desk::join_of(1));

    desk.answer(names[1], proto::GroupFormed{{"p/default"}, {1}, {}});
    REQUIRE(desk.peers_told<proto::GroupFormed>() == Peers{"one"});
    desk.answer(names[0], proto::GroupFormed{{"p/default"}, {1}, {}});
    REQUIRE(desk.peers_told<proto::GroupFormed>() == Peers{"one", "zero"});

    desk.answer(names[0], proto::GroupAbort{{"p/default"}, {1}, {{1}}, "it died"});
    desk.answer(names[0], proto::GroupAbort{{"p/default"}, {1}, {{1}}, "it died"}); // told once is enough
    REQUIRE(desk.peers_told<proto::GroupAbort>() == Peers{"zero"});
}

TEST_CASE("only ranks that run here now, in this epoch, may join")
{
    Desk desk;
    const auto is_refused = [&](const proto::GroupJoin& join) {
        desk.forget();
        desk.rank_says("somebody", join);
        REQUIRE(desk.correlations<proto::GroupJoin>().empty());
        return desk.peers_told<proto::GroupRefused>() == Peers{"somebody"};
    };

    REQUIRE(is_refused(Desk::join_of(2)));
    REQUIRE(is_refused(Desk::join_of(0, 2)));
    auto strange = Desk::join_of(0);
    strange.group = {"q/default"};
    REQUIRE(is_refused(strange));
    desk.ended(0);
    REQUIRE(is_refused(Desk::join_of(0)));
}

TEST_CASE("a rank leaves, or aborts, in its own name; nobody else can")
{
    Desk desk;
    desk.rank_says("zero", Desk::join_of(0));
    const auto name = desk.correlations<proto::GroupJoin>().at(0);

    desk.rank_says("liar", proto::GroupAbort{{"p/default"}, {1}, {}, ""});
    desk.rank_says("liar", proto::GroupLeave{{"p/default"}, {1}, {0}});
    REQUIRE(desk.correlations<proto::GroupAbort>().empty());
    REQUIRE(desk.correlations<proto::GroupLeave>().empty());

    desk.rank_says("zero", proto::GroupAbort{{"p/default"}, {1}, {}, "wrong size"});
    desk.rank_says("zero", proto::GroupLeave{{"p/default"}, {1}, {0}});
    desk.rank_says("zero", proto::GroupLeave{{"p/default"}, {1}, {0}});
    REQUIRE(desk.correlations<proto::GroupAbort>() == std::vector{name});
    REQUIRE(desk.correlations<proto::GroupLeave>() == std::vector{name});
}

TEST_CASE("a join that was not answered is said again after a welcome, under its name")
{
    Desk desk;
    desk.rank_says("zero", Desk::join_of(0));
    desk.rank_says("one", Desk::join_of(1));
    const auto names = desk.correlations<proto::GroupJoin>();
    desk.answer(names[0], proto::GroupFormed{{"p/default"}, {1}, {}});
    desk.forget();

    desk.join(1);

    REQUIRE(desk.correlations<proto::GroupJoin>() == std::vector{names[1]});
}

TEST_CASE("a rank that asks again gets one name, and the coordinator answers it again")
{
    Desk desk;
    desk.rank_says("zero", Desk::join_of(0));
    desk.rank_says("zero", Desk::join_of(0));

    const auto names = desk.correlations<proto::GroupJoin>();
    REQUIRE(names.size() == 2);
    REQUIRE(names[0] == names[1]);
}

TEST_CASE("what comes for a rank that has ended is dropped")
{
    Desk desk;
    desk.rank_says("zero", Desk::join_of(0));
    const auto name = desk.correlations<proto::GroupJoin>().at(0);
    desk.ended(0, {1, 0, ""});

    desk.answer(name, proto::GroupFormed{{"p/default"}, {1}, {}});

    REQUIRE(desk.effects_of<SendToRank>().empty());
}

TEST_CASE("a node keeps a bounded number of members")
{
    Limits limits;
    limits.group_members = 3;
    Desk desk(limits);
    for (int i = 0; i < 4; ++i) {
        desk.rank_says("connection " + std::to_string(i), Desk::join_of(0));
    }

    REQUIRE(desk.correlations<proto::GroupJoin>().size() == 3);
    REQUIRE(desk.peers_told<proto::GroupRefused>() == Peers{"connection 3"});
}
