// SPDX-License-Identifier: Apache-2.0
#include "coordinator/core/rank_desk.hpp"

#include <iterator>
#include <utility>
#include <variant>
#include <vector>

namespace sdfleet::coordinator {

namespace {

collective::Rendezvous::Time time_of(Milliseconds now)
{
    return collective::Rendezvous::Time(now.count);
}

} // namespace

collective::Caller RankDesk::name_of(const Caller& caller)
{
    return {caller.node.value + "/" + std::to_string(caller.incarnation.value) + "/" +
            std::to_string(caller.correlation)};
}

void RankDesk::add(collective::Rendezvous::Sends sends)
{
    sends_.insert(sends_.end(), std::make_move_iterator(sends.begin()), std::make_move_iterator(sends.end()));
}

void RankDesk::join(const Caller& caller, const proto::GroupJoin& join, Milliseconds now)
{
    const auto name = name_of(caller);
    if (members_.size() >= limit_ && !members_.contains(name)) {
        sends_.push_back({name, proto::GroupRefused{join.group,
                                                    join.epoch,
                                                    proto::GroupRefusal::full,
                                                    {},
                                                    "the coordinator has as many group members as it can keep"}});
        members_.try_emplace(name, Membership{caller, join.group, join.epoch, join.member.rank});
        return;
    }
    members_.insert_or_assign(name, Membership{caller, join.group, join.epoch, join.member.rank});
    add(rendezvous_.join(name, join, time_of(now)));
}

void RankDesk::abort(const std::optional<Caller>& from, const proto::GroupAbort& abort, Milliseconds now)
{
    const auto name = from ? std::optional(name_of(*from)) : std::nullopt;
    add(rendezvous_.abort(name, abort, time_of(now)));
}

void RankDesk::leave(const Caller& caller, const proto::GroupLeave& leave, Milliseconds now)
{
    const auto name = name_of(caller);
    if (members_.erase(name) > 0) {
        rendezvous_.leave(name, leave, time_of(now));
    }
}

void RankDesk::lost_where(const Predicate& is_lost, const std::string& why, Milliseconds now)
{
    std::vector<collective::Caller> lost;
    for (const auto& [name, member] : members_) {
        if (is_lost(member.caller, member.group, member.epoch, member.rank)) {
            lost.push_back(name);
        }
    }
    for (const auto& name : lost) {
        add(rendezvous_.lost(name, why, time_of(now)));
        members_.erase(name);
    }
}

void RankDesk::tick(Milliseconds now)
{
    if (const auto deadline = rendezvous_.next_deadline(); deadline && time_of(now) >= *deadline) {
        add(rendezvous_.tick(time_of(now)));
    }
}

std::optional<Milliseconds> RankDesk::next_deadline() const
{
    const auto deadline = rendezvous_.next_deadline();
    return deadline ? std::optional(Milliseconds{deadline->count()}) : std::nullopt;
}

Effects RankDesk::take_effects(const Fleet& fleet)
{
    Effects effects;
    for (auto& send : std::exchange(sends_, {})) {
        const auto found = members_.find(send.to);
        if (found == members_.end()) {
            continue;
        }
        const Caller caller = found->second.caller;
        if (!std::holds_alternative<proto::GroupFormed>(send.answer)) {
            members_.erase(found); // refused, or over: it has no part in anything any more
        }
        const Node* node = fleet.find(caller.node);
        if (node != nullptr && node->state != proto::NodeState::lost && node->incarnation == caller.incarnation) {
            std::visit(
                [&](auto& answer) {
                    effects.push_back(Send{node->control, caller.correlation, std::move(answer), {}});
                },
                send.answer);
        }
    }
    return effects;
}

} // namespace sdfleet::coordinator
