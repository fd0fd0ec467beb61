// SPDX-License-Identifier: Apache-2.0
#include "agent/core/group_desk.hpp"

#include <algorithm>
#include <utility>

namespace sdfleet::agent {

GroupDesk::Members::iterator GroupDesk::find(const std::string& peer, const proto::GroupId& group, proto::Epoch epoch)
{
    return std::ranges::find_if(members_, [&](const auto& entry) {
        const auto& [correlation, member] = entry;
        return member.peer == peer && member.join.group == group && member.join.epoch == epoch;
    });
}

void GroupDesk::forward(std::uint64_t correlation, proto::Message message, Outbox& out)
{
    proto::Packet packet;
    packet.envelope.correlation = correlation;
    packet.message = std::move(message);
    out.bulky.push_back(std::move(packet));
}

void GroupDesk::refuse(const std::string& peer, const proto::GroupJoin& join, proto::GroupRefusal reason,
                       std::string why, Outbox& out)
{
    out.effects.push_back(
        SendToRank{peer, {{}, proto::GroupRefused{join.group, join.epoch, reason, {}, std::move(why)}, {}}});
}

void GroupDesk::on_rank(const FromRank& event, const IsOurs& is_ours, Outbox& out)
{
    if (const auto* join = std::get_if<proto::GroupJoin>(&event.packet.message)) {
        on_join(event.peer, *join, is_ours, out);
    } else if (const auto* abort = std::get_if<proto::GroupAbort>(&event.packet.message)) {
        if (const auto member = find(event.peer, abort->group, abort->epoch); member != members_.end()) {
            forward(member->first, *abort, out);
        }
    } else if (const auto* leave = std::get_if<proto::GroupLeave>(&event.packet.message)) {
        if (const auto member = find(event.peer, leave->group, leave->epoch); member != members_.end()) {
            forward(member->first, *leave, out);
            members_.erase(member);
        }
    }
}

void GroupDesk::on_join(const std::string& peer, const proto::GroupJoin& join, const IsOurs& is_ours, Outbox& out)
{
    if (!is_ours(join.group, join.epoch, join.member.rank)) {
        refuse(peer, join, proto::GroupRefusal::unknown_group,
               "no rank " + std::to_string(join.member.rank.value) + " of the group " +
                   join.group.value.substr(0, 192) + ", epoch " + std::to_string(join.epoch.value) +
                   ", runs on this node",
               out);
        return;
    }
    auto member = find(peer, join.group, join.epoch);
    if (member == members_.end()) {
        if (members_.size() >= limit_) {
            refuse(peer, join, proto::GroupRefusal::full, "this node has as many group members as it can keep", out);
            return;
        }
        member = members_.emplace(++last_correlation_, Member{peer, join, false}).first;
    }
    forward(member->first, join, out);
}

void GroupDesk::on_coordinator(const proto::Packet& packet, Outbox& out)
{
    const auto member = members_.find(packet.envelope.correlation);
    if (member == members_.end()) {
        return;
    }
    out.effects.push_back(SendToRank{member->second.peer, {{}, packet.message, {}}});
    if (std::holds_alternative<proto::GroupFormed>(packet.message)) {
        member->second.is_answered = true;
    } else {
        members_.erase(member);
    }
}

void GroupDesk::on_welcome(Outbox& out) const
{
    for (const auto& [correlation, member] : members_) {
        if (!member.is_answered) {
            forward(correlation, member.join, out);
        }
    }
}

void GroupDesk::keep_only(const IsOurs& is_ours)
{
    std::erase_if(members_, [&](const auto& entry) {
        const auto& join = entry.second.join;
        return !is_ours(join.group, join.epoch, join.member.rank);
    });
}

} // namespace sdfleet::agent
