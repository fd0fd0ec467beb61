// SPDX-License-Identifier: Apache-2.0
#include "collective/core/rendezvous.hpp"

#include "tests/catch.hpp"

#include <algorithm>

#include <rapidcheck.h>

namespace proto = sdfleet::proto;
using namespace std::chrono_literals;
using sdfleet::collective::Caller;
using sdfleet::collective::Rendezvous;
using sdfleet::collective::RendezvousLimits;

namespace {

Caller caller(std::uint32_t rank)
{
    return {"caller " + std::to_string(rank)};
}

proto::GroupJoin join_of(std::uint32_t rank, std::uint32_t world_size, std::uint64_t epoch = 1)
{
    const proto::GroupMember member{{rank}, "host", {"tcp://10.0.0.1:" + std::to_string(4000 + rank)}, "key"};
    return {{"program/default"}, {epoch}, world_size, 1'000, member};
}

proto::GroupLeave leave_of(std::uint32_t rank)
{
    return {{"program/default"}, {1}, {rank}};
}

/// The only answer, which must be an `Answer` and go to `to`.
template <class Answer>
Answer only(const Rendezvous::Sends& sends, const Caller& to)
{
    REQUIRE(sends.size() == 1);
    REQUIRE(sends[0].to == to);
    REQUIRE(std::holds_alternative<Answer>(sends[0].answer));
    return std::get<Answer>(sends[0].answer);
}

/// A formed group of `world_size` ranks.
Rendezvous formed(std::uint32_t world_size, RendezvousLimits limits = {})
{
    Rendezvous rendezvous(limits);
    for (std::uint32_t rank = 0; rank < world_size; ++rank) {
        rendezvous.join(caller(rank), join_of(rank, world_size), 0ms);
    }
    return rendezvous;
}

} // namespace

TEST_CASE("the last to join makes the group: all are told all members by rank")
{
    Rendezvous rendezvous;
    REQUIRE(rendezvous.join(caller(2), join_of(2, 3), 0ms).empty());
    REQUIRE(rendezvous.join(caller(0), join_of(0, 3), 10ms).empty());
    const auto sends = rendezvous.join(caller(1), join_of(1, 3), 20ms);

    REQUIRE(sends.size() == 3);
    for (std::uint32_t rank = 0; rank < 3; ++rank) {
        REQUIRE(sends[rank].to == caller(rank));
        const auto& answer = std::get<proto::GroupFormed>(sends[rank].answer);
        REQUIRE(answer.members.size() == 3);
        REQUIRE(answer.members[1] == join_of(1, 3).member);
        REQUIRE(answer.members[2] == join_of(2, 3).member);
    }
    REQUIRE_FALSE(rendezvous.next_deadline());
}

TEST_CASE("who waits too long learns which ranks are missing, and who then comes is refused")
{
    Rendezvous rendezvous;
    rendezvous.join(caller(0), join_of(0, 4), 0ms);
    rendezvous.join(caller(2), join_of(2, 4), 300ms);
    REQUIRE(rendezvous.next_deadline() == 1'000ms); // the first one's patience is the group's
    REQUIRE(rendezvous.tick(999ms).empty());

    const auto sends = rendezvous.tick(1'000ms);
    REQUIRE(sends.size() == 2);
    for (const auto& send : sends) {
        const auto& refused = std::get<proto::GroupRefused>(send.answer);
        REQUIRE(refused.reason == proto::GroupRefusal::timed_out);
        REQUIRE(refused.missing == std::vector<proto::Rank>{{1}, {3}});
        REQUIRE_THAT(refused.message, ContainsSubstring("ranks 1, 3 did not come"));
    }
    const auto late = only<proto::GroupRefused>(rendezvous.join(caller(1), join_of(1, 4), 1'001ms), caller(1));
    REQUIRE(late.reason == proto::GroupRefusal::stale_epoch);
}

TEST_CASE("a join that is sent again is answered again, also over another connection")
{
    auto rendezvous = formed(2);
    only<proto::GroupFormed>(rendezvous.join(caller(1), join_of(1, 2), 5ms), caller(1));
    only<proto::GroupFormed>(rendezvous.join({"dialled anew"}, join_of(1, 2), 5ms), {"dialled anew"});

    const auto sends = rendezvous.abort(caller(0), {{"program/default"}, {1}, {}, "enough"}, 6ms);
    only<proto::GroupAbort>(sends, {"dialled anew"});
}

TEST_CASE("a rank that another process holds is refused, and the group forms without the intruder")
{
    Rendezvous rendezvous;
    rendezvous.join(caller(0), join_of(0, 2), 0ms);
    auto second = join_of(0, 2);
    second.member.public_key = "another key";
    const auto refused = only<proto::GroupRefused>(rendezvous.join({"intruder"}, second, 1ms), {"intruder"});
    REQUIRE(refused.reason == proto::GroupRefusal::duplicate_rank);
    REQUIRE(rendezvous.join(caller(1), join_of(1, 2), 2ms).size() == 2);
}

TEST_CASE("joins that cannot be right are refused with the reason, and cost nobody else anything")
{
    Rendezvous rendezvous;
    rendezvous.join(caller(0), join_of(0, 3), 0ms);
    const auto reason_of = [&](const proto::GroupJoin& join) {
        return only<proto::GroupRefused>(rendezvous.join(caller(9), join, 1ms), caller(9)).reason;
    };
    REQUIRE(reason_of(join_of(1, 4)) == proto::GroupRefusal::world_size);
    REQUIRE(reason_of(join_of(0, 0)) == proto::GroupRefusal::world_size);
    REQUIRE(reason_of(join_of(0, 1'000'000)) == proto::GroupRefusal::world_size);
    REQUIRE(reason_of(join_of(3, 3)) == proto::GroupRefusal::rank_out_of_range);
    REQUIRE(reason_of(join_of(1, 3, 0)) == proto::GroupRefusal::stale_epoch);
    auto nameless = join_of(1, 3);
    nameless.group.value.clear();
    REQUIRE(reason_of(nameless) == proto::GroupRefusal::unknown_group);
    auto wordy = join_of(1, 3);
    wordy.member.endpoints.assign(9, "tcp://10.0.0.1:1");
    REQUIRE(reason_of(wordy) == proto::GroupRefusal::full);
    wordy.member.endpoints.assign(1, std::string(10'000, 'x'));
    REQUIRE(reason_of(wordy) == proto::GroupRefusal::full);

    rendezvous.join(caller(1), join_of(1, 3), 2ms);
    REQUIRE(rendezvous.join(caller(2), join_of(2, 3), 3ms).size() == 3);
}

TEST_CASE("the number of groups is bounded")
{
    RendezvousLimits limits;
    limits.groups = 1;
    Rendezvous rendezvous(limits);
    rendezvous.join(caller(0), join_of(0, 2), 0ms);
    auto other = join_of(0, 2);
    other.group.value = "another";
    REQUIRE(only<proto::GroupRefused>(rendezvous.join(caller(1), other, 0ms), caller(1)).reason ==
            proto::GroupRefusal::full);
}

TEST_CASE("a higher epoch ends the one before, and the lower one is refused from then on")
{
    auto rendezvous = formed(2);
    const auto sends = rendezvous.join({"next 0"}, join_of(0, 2, 2), 10ms);
    REQUIRE(sends.size() == 2);
    for (std::uint32_t rank = 0; rank < 2; ++rank) {
        REQUIRE(sends[rank].to == caller(rank));
        REQUIRE(std::get<proto::GroupAbort>(sends[rank].answer).epoch == proto::Epoch{1});
    }
    REQUIRE(only<proto::GroupRefused>(rendezvous.join(caller(1), join_of(1, 2, 1), 11ms), caller(1)).reason ==
            proto::GroupRefusal::stale_epoch);
    REQUIRE(rendezvous.join({"next 1"}, join_of(1, 2, 2), 12ms).size() == 2);
}

TEST_CASE("who is lost is named to all others, once")
{
    auto rendezvous = formed(3);
    const auto sends = rendezvous.lost(caller(1), "killed by signal 9", 50ms);
    REQUIRE(sends.size() == 2);
    for (const auto& send : sends) {
        REQUIRE(send.to != caller(1));
        const auto& abort = std::get<proto::GroupAbort>(send.answer);
        REQUIRE(abort.lost == std::vector<proto::Rank>{{1}});
        REQUIRE_THAT(abort.message, ContainsSubstring("rank 1 is lost: killed by signal 9"));
    }
    REQUIRE(rendezvous.lost(caller(1), "again", 51ms).empty());
    REQUIRE(rendezvous.lost(caller(2), "as well", 52ms).empty());
    REQUIRE(only<proto::GroupRefused>(rendezvous.join(caller(1), join_of(1, 3), 60ms), caller(1)).reason ==
            proto::GroupRefusal::stale_epoch);
}

TEST_CASE("an epoch that was ended is forgotten after a while")
{
    RendezvousLimits limits;
    limits.memory = 100ms;
    auto rendezvous = formed(2, limits);
    rendezvous.abort(std::nullopt, {{"program/default"}, {1}, {}, "enough"}, 10ms);
    REQUIRE(rendezvous.next_deadline() == 110ms);
    REQUIRE(rendezvous.tick(110ms).empty());
    REQUIRE_FALSE(rendezvous.next_deadline());
    REQUIRE(rendezvous.join(caller(0), join_of(0, 2), 120ms).empty());
}

TEST_CASE("an abort counts only from a member, and is passed on in bounds")
{
    auto rendezvous = formed(2);
    proto::GroupAbort abort{{"program/default"}, {1}, {{1}, {1}, {77}}, std::string(100'000, 'x')};
    REQUIRE(rendezvous.abort(Caller{"a stranger"}, abort, 5ms).empty());
    abort.epoch.value = 2;
    REQUIRE(rendezvous.abort(caller(0), abort, 5ms).empty());
    abort.epoch.value = 1;
    const auto passed_on = only<proto::GroupAbort>(rendezvous.abort(caller(0), abort, 5ms), caller(1));
    REQUIRE(passed_on.lost == std::vector<proto::Rank>{{1}});
    REQUIRE(passed_on.message.size() < 2'000);
}

TEST_CASE("members leave one by one; the last one takes the group with it")
{
    auto rendezvous = formed(2);
    rendezvous.leave(caller(0), leave_of(1), 5ms); // not its rank
    rendezvous.leave(caller(0), leave_of(0), 5ms);
    REQUIRE(rendezvous.lost(caller(0), "ended", 6ms).empty());
    REQUIRE(only<proto::GroupRefused>(rendezvous.join(caller(0), join_of(0, 2), 7ms), caller(0)).reason ==
            proto::GroupRefusal::stale_epoch);

    rendezvous.leave(caller(1), leave_of(1), 8ms);
    REQUIRE(rendezvous.join(caller(0), join_of(0, 2), 9ms).empty()); // a new group of the same name
}

TEST_CASE("who gives up while the group forms may come again")
{
    Rendezvous rendezvous;
    rendezvous.join(caller(0), join_of(0, 2), 0ms);
    rendezvous.leave(caller(0), leave_of(0), 1ms);
    REQUIRE_FALSE(rendezvous.next_deadline());
    rendezvous.join(caller(1), join_of(1, 2), 2ms);
    REQUIRE(rendezvous.join({"again 0"}, join_of(0, 2), 3ms).size() == 2);
}

TEST_CASE("whatever comes in whatever order: an epoch that ended never forms, and nothing stays for ever")
{
    rc::check([] {
        Rendezvous rendezvous;
        Rendezvous::Time now{0};
        std::set<std::uint64_t> ended;
        const auto look_at = [&](const Rendezvous::Sends& sends) {
            for (const auto& send : sends) {
                if (const auto* formed = std::get_if<proto::GroupFormed>(&send.answer)) {
                    RC_ASSERT(formed->members.size() == 3U);
                    RC_ASSERT(!ended.contains(formed->epoch.value));
                } else if (const auto* abort = std::get_if<proto::GroupAbort>(&send.answer)) {
                    ended.insert(abort->epoch.value);
                }
            }
        };
        const proto::GroupId id{"program/default"};
        const auto steps = *rc::gen::inRange(1, 80);
        for (int i = 0; i < steps; ++i) {
            now += std::chrono::milliseconds(*rc::gen::inRange(0, 400));
            const auto rank = *rc::gen::inRange<std::uint32_t>(0, 4);
            const auto epoch = *rc::gen::inRange<std::uint64_t>(1, 4);
            switch (*rc::gen::inRange(0, 8)) {
            case 0:
                rendezvous.leave(caller(rank), {id, {epoch}, {rank}}, now);
                break;
            case 1:
                look_at(rendezvous.lost(caller(rank), "lost", now));
                break;
            case 2:
                look_at(rendezvous.abort(caller(rank), {id, {epoch}, {}, "over"}, now));
                break;
            default:
                look_at(rendezvous.join(caller(rank), join_of(rank, 3, epoch), now));
            }
            look_at(rendezvous.tick(now));
            const auto next = rendezvous.next_deadline();
            RC_ASSERT(!next || *next > now);
        }
        for (std::uint64_t epoch = 1; epoch < 4; ++epoch) {
            rendezvous.abort(std::nullopt, {id, {epoch}, {}, "over"}, now);
        }
        rendezvous.tick(now + 1h);
        RC_ASSERT(!rendezvous.next_deadline());
    });
}
