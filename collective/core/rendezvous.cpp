// SPDX-License-Identifier: Apache-2.0
#include "collective/core/rendezvous.hpp"

#include "collective/core/notice.hpp"

#include <algorithm>
#include <iterator>

namespace sdfleet::collective {

namespace {

constexpr std::size_t max_group_name = 192;
constexpr std::size_t max_member_text = 256; ///< of a host, an endpoint, a key
constexpr std::size_t max_reason = 1'000;

std::string name_of(const proto::GroupId& group, proto::Epoch epoch)
{
    return "group " + group.value + ", epoch " + std::to_string(epoch.value);
}

proto::GroupRefused refusal(const proto::GroupJoin& join, proto::GroupRefusal reason, const std::string& why)
{
    return {join.group, join.epoch, reason, {}, name_of(join.group, join.epoch) + ": " + why};
}

bool is_too_long(const proto::GroupMember& member)
{
    const auto is_long = [](const std::string& text) { return text.size() > max_member_text; };
    return is_long(member.host) || is_long(member.public_key) || std::ranges::any_of(member.endpoints, is_long);
}

} // namespace

Rendezvous::Rendezvous(RendezvousLimits limits) : limits_(limits) {}

/// What is wrong with a join whatever the others do.
std::optional<proto::GroupRefused> Rendezvous::find_fault(const proto::GroupJoin& join) const
{
    using proto::GroupRefusal;
    if (join.group.value.empty() || join.group.value.size() > max_group_name) {
        return proto::GroupRefused{
            {}, join.epoch, GroupRefusal::unknown_group, {}, "a group's name has 1 to 192 characters"};
    }
    if (join.world_size == 0 || join.world_size > limits_.world_size) {
        return refusal(join, GroupRefusal::world_size,
                       "a world of " + std::to_string(join.world_size) + " ranks; 1 to " +
                           std::to_string(limits_.world_size) + " are possible");
    }
    if (join.member.rank.value >= join.world_size) {
        return refusal(join, GroupRefusal::rank_out_of_range,
                       "rank " + std::to_string(join.member.rank.value) + " in a world of " +
                           std::to_string(join.world_size));
    }
    if (join.member.endpoints.size() > limits_.endpoints || is_too_long(join.member)) {
        return refusal(join, GroupRefusal::full,
                       list_ranks({join.member.rank}) + " names more or longer endpoints than are kept");
    }
    return std::nullopt;
}

Rendezvous::Sends Rendezvous::join(const Caller& caller, const proto::GroupJoin& join, Time now)
{
    if (auto fault = find_fault(join)) {
        return {{caller, std::move(*fault)}};
    }
    Sends sends;
    auto group = groups_.find(join.group);
    if (group == groups_.end()) {
        if (groups_.size() >= limits_.groups) {
            return {{caller, refusal(join, proto::GroupRefusal::full, "there are too many groups already")}};
        }
        group = groups_.emplace(join.group, Group{join.epoch, join.world_size, {}, Formed{}}).first;
        set_state(group, Forming{now + limits_.longest_wait});
    } else if (join.epoch < group->second.epoch) {
        return {{caller, refusal(join, proto::GroupRefusal::stale_epoch,
                                 "epoch " + std::to_string(group->second.epoch.value) + " has begun")}};
    } else if (join.epoch > group->second.epoch) {
        sends = end(group, caller, {}, "epoch " + std::to_string(join.epoch.value) + " has begun", now);
        group->second = Group{join.epoch, join.world_size, {}, group->second.state};
        set_state(group, Forming{now + limits_.longest_wait});
    } else if (const auto* ended = std::get_if<Ended>(&group->second.state)) {
        return {{caller, refusal(join, proto::GroupRefusal::stale_epoch, "the epoch is over: " + ended->why)}};
    }
    if (join.world_size != group->second.world_size) {
        return {{caller,
                 refusal(join, proto::GroupRefusal::world_size,
                         list_ranks({join.member.rank}) + " comes with a world of " + std::to_string(join.world_size) +
                             ", the others have " + std::to_string(group->second.world_size))}};
    }
    auto more = group->second.members.contains(join.member.rank) ? answer_again(group, caller, join)
                                                                 : add_member(group, caller, join, now);
    std::ranges::move(more, std::back_inserter(sends));
    return sends;
}

Rendezvous::Sends Rendezvous::add_member(Groups::iterator group, const Caller& caller, const proto::GroupJoin& join,
                                         Time now)
{
    auto& [id, epoch] = *group;
    epoch.members.emplace(join.member.rank, Member{caller, join.member});
    if (epoch.members.size() < epoch.world_size) {
        const auto wait = std::min(Time(join.timeout_ms), limits_.longest_wait);
        const auto& forming = std::get<Forming>(epoch.state);
        set_state(group, Forming{std::min(forming.deadline, now + wait)});
        return {};
    }
    set_state(group, Formed{});
    proto::GroupFormed formed{id, epoch.epoch, {}};
    for (const auto& [rank, member] : epoch.members) {
        formed.members.push_back(member.member);
    }
    Sends sends;
    for (const auto& [rank, member] : epoch.members) {
        sends.push_back({member.caller, formed});
    }
    return sends;
}

/// For a rank that has joined before.
Rendezvous::Sends Rendezvous::answer_again(Groups::iterator group, const Caller& caller, const proto::GroupJoin& join)
{
    auto& [id, epoch] = *group;
    auto& known = epoch.members.at(join.member.rank);
    if (known.has_left) {
        return {{caller, refusal(join, proto::GroupRefusal::stale_epoch,
                                 list_ranks({join.member.rank}) +
                                     " has left it, and others have not; take a higher epoch or another name")}};
    }
    if (known.member != join.member) {
        return {{caller, refusal(join, proto::GroupRefusal::duplicate_rank,
                                 "another process is " + list_ranks({join.member.rank}))}};
    }
    known.caller = caller;
    if (!std::holds_alternative<Formed>(epoch.state)) {
        return {};
    }
    proto::GroupFormed formed{id, epoch.epoch, {}};
    for (const auto& [rank, member] : epoch.members) {
        formed.members.push_back(member.member);
    }
    return {{caller, std::move(formed)}};
}

Rendezvous::Sends Rendezvous::abort(const std::optional<Caller>& from, const proto::GroupAbort& abort, Time now)
{
    const auto group = groups_.find(abort.group);
    if (group == groups_.end() || group->second.epoch != abort.epoch) {
        return {};
    }
    const auto is_from = [&](const auto& entry) { return entry.second.caller == *from; };
    if (from && std::ranges::none_of(group->second.members, is_from)) {
        return {};
    }
    std::set<proto::Rank> lost; // what comes from a member is passed on in bounds only
    std::ranges::copy_if(abort.lost, std::inserter(lost, lost.end()),
                         [&](proto::Rank rank) { return rank.value < group->second.world_size; });
    return end(group, from, {lost.begin(), lost.end()}, abort.message.substr(0, max_reason), now);
}

void Rendezvous::leave(const Caller& caller, const proto::GroupLeave& leave, Time /*now*/)
{
    const auto group = groups_.find(leave.group);
    if (group == groups_.end() || group->second.epoch != leave.epoch) {
        return;
    }
    auto& members = group->second.members;
    const auto member = members.find(leave.rank);
    if (member == members.end() || member->second.caller != caller) {
        return;
    }
    if (std::holds_alternative<Ended>(group->second.state)) {
        return;
    }
    if (std::holds_alternative<Forming>(group->second.state)) {
        members.erase(member); // it may come back, and counts as missing until then
    } else {
        member->second.has_left = true;
    }
    if (std::ranges::all_of(members, [](const auto& entry) { return entry.second.has_left; })) {
        forget(group);
    }
}

Rendezvous::Sends Rendezvous::lost(const Caller& caller, const std::string& why, Time now)
{
    Sends sends;
    for (auto group = groups_.begin(); group != groups_.end(); ++group) {
        std::vector<proto::Rank> lost;
        for (const auto& [rank, member] : group->second.members) {
            if (member.caller == caller && !member.has_left) {
                lost.push_back(rank);
            }
        }
        if (!lost.empty()) {
            auto more = end(group, caller, lost, list_ranks(lost) + " is lost: " + why, now);
            std::ranges::move(more, std::back_inserter(sends));
        }
    }
    return sends;
}

/// Tells all who are still in the epoch, `but` excepted, that it is over. Does nothing when it is already.
Rendezvous::Sends Rendezvous::end(Groups::iterator group, const std::optional<Caller>& but,
                                  std::vector<proto::Rank> lost, const std::string& why, Time now)
{
    auto& [id, epoch] = *group;
    if (std::holds_alternative<Ended>(epoch.state)) {
        return {};
    }
    const proto::GroupAbort abort{id, epoch.epoch, std::move(lost), name_of(id, epoch.epoch) + ": " + why};
    Sends sends;
    for (const auto& [rank, member] : epoch.members) {
        if (!member.has_left && (!but || member.caller != *but)) {
            sends.push_back({member.caller, abort});
        }
    }
    set_state(group, Ended{now + limits_.memory, why});
    return sends;
}

Rendezvous::Sends Rendezvous::time_out(Groups::iterator group, Time now)
{
    auto& [id, epoch] = *group;
    proto::GroupRefused refused{id, epoch.epoch, proto::GroupRefusal::timed_out, {}, ""};
    for (proto::Rank rank; rank.value < epoch.world_size; ++rank.value) {
        if (!epoch.members.contains(rank)) {
            refused.missing.push_back(rank);
        }
    }
    const auto why = list_ranks(refused.missing) + " did not come in time";
    refused.message = name_of(id, epoch.epoch) + ": " + why;
    Sends sends;
    for (const auto& [rank, member] : epoch.members) {
        sends.push_back({member.caller, refused});
    }
    set_state(group, Ended{now + limits_.memory, why});
    return sends;
}

Rendezvous::Sends Rendezvous::tick(Time now)
{
    Sends sends;
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
        const auto group = groups_.find(deadlines_.begin()->second);
        if (std::holds_alternative<Ended>(group->second.state)) {
            forget(group);
        } else {
            auto more = time_out(group, now);
            std::ranges::move(more, std::back_inserter(sends));
        }
    }
    return sends;
}

std::optional<Rendezvous::Time> Rendezvous::next_deadline() const
{
    return deadlines_.empty() ? std::nullopt : std::optional(deadlines_.begin()->first);
}

/// Keeps `deadlines_` in step.
void Rendezvous::set_state(Groups::iterator group, std::variant<Forming, Formed, Ended> state)
{
    const auto deadline_of = [](const auto& any) -> std::optional<Time> {
        if (const auto* forming = std::get_if<Forming>(&any)) {
            return forming->deadline;
        }
        const auto* ended = std::get_if<Ended>(&any);
        return ended != nullptr ? std::optional(ended->forget_at) : std::nullopt;
    };
    if (const auto before = deadline_of(group->second.state)) {
        deadlines_.erase({*before, group->first});
    }
    group->second.state = std::move(state);
    if (const auto after = deadline_of(group->second.state)) {
        deadlines_.emplace(*after, group->first);
    }
}

void Rendezvous::forget(Groups::iterator group)
{
    set_state(group, Formed{}); // which has no deadline
    groups_.erase(group);
}

} // namespace sdfleet::collective
