// SPDX-License-Identifier: Apache-2.0
// The core's part that has to do with ranks: programs and process groups.
#include "coordinator/core/core.hpp"

#include <iterator>
#include <type_traits>
#include <utility>

namespace sdfleet::coordinator {

template <class Message>
void Core::on_program(const Message& message, const From& from)
{
    const Requester requester{from.packet.peer, from.packet.correlation};
    if (from.packet.may_launch) {
        programs_.on(message, requester, fleet_);
    } else {
        programs_.refuse(requester);
    }
}

template <class Message>
void Core::on_program(const Message& message, Node& node, const From& from)
{
    if constexpr (std::is_same_v<Message, proto::ProgramOutput>) {
        programs_.on(message, node, from.packet.blobs, fleet_);
    } else {
        programs_.on(message, node, fleet_);
    }
}

template void Core::on_program(const proto::LaunchProgram&, const From&);
template void Core::on_program(const proto::WatchProgram&, const From&);
template void Core::on_program(const proto::StopProgram&, const From&);
template void Core::on_program(const proto::RanksStarted&, Node&, const From&);
template void Core::on_program(const proto::RankExited&, Node&, const From&);
template void Core::on_program(const proto::ProgramOutput&, Node&, const From&);
template void Core::on_program(const proto::RanksGone&, Node&, const From&);

namespace {

/// A program's groups are called PROGRAM/NAME.
proto::ProgramRun run_of(const proto::GroupId& group, proto::Epoch epoch)
{
    return {{group.value.substr(0, group.value.find('/'))}, epoch};
}

} // namespace

void Core::on(const proto::GroupJoin& message, Node& node, const From& from)
{
    const RankDesk::Caller caller{node.id, node.incarnation, from.packet.correlation};
    const auto job = group_runs_.find(proto::JobId{message.group.value.substr(0, message.group.value.find('/'))});
    const bool is_of_job = job != group_runs_.end() && job->second.group == message.group &&
                           job->second.epoch == message.epoch && !job->second.is_aborted &&
                           message.member.rank.value < job->second.members.size() &&
                           job->second.members[message.member.rank.value].node_id == node.id;
    if (!is_of_job && !programs_.is_on(run_of(message.group, message.epoch), node.id)) {
        send(from.packet.peer,
             proto::GroupRefused{message.group,
                                 message.epoch,
                                 proto::GroupRefusal::unknown_group,
                                 {},
                                 "nothing that runs on node " + node.id.value + " has a group " +
                                     message.group.value.substr(0, 192) + " of epoch " +
                                     std::to_string(message.epoch.value)},
             from.packet.correlation);
        return;
    }
    ranks_.join(caller, message, now_);
}

void Core::on(const proto::GroupAbort& message, Node& node, const From& from)
{
    ranks_.abort(RankDesk::Caller{node.id, node.incarnation, from.packet.correlation}, message, now_);
}

void Core::on(const proto::GroupLeave& message, Node& node, const From& from)
{
    ranks_.leave({node.id, node.incarnation, from.packet.correlation}, message, now_);
}

void Core::end_on(Node& node, const std::string& why)
{
    programs_.on_node_lost(node.id, why, fleet_);
    for (auto& [slot, actor] : node.actors) {
        abort_groups_with({node.id, slot}, "is gone: " + why);
        if (!group_runs_.contains(actor.held_for)) {
            actor.held_for = {};
        }
    }
    ranks_.lost_where([&](const RankDesk::Caller& caller, const proto::GroupId&, proto::Epoch,
                          proto::Rank) { return caller.node == node.id; },
                      "node " + node.id.value + " is lost: " + why, now_);
}

void Core::run_programs()
{
    if (is_fleet_changed_ || !freed_.empty()) {
        programs_.on_fleet_changed(fleet_);
    }
    auto out = programs_.finish_step(now_, fleet_);
    for (const auto& death : out.deaths) {
        ranks_.lost_where(
            [&](const RankDesk::Caller& caller, const proto::GroupId& group, proto::Epoch epoch, proto::Rank rank) {
                return caller.node == death.node && rank == death.rank && run_of(group, epoch) == death.run;
            },
            death.why, now_);
    }
    ranks_.tick(now_);
    effects_.insert(effects_.end(), std::make_move_iterator(out.effects.begin()),
                    std::make_move_iterator(out.effects.end()));
    auto answers = ranks_.take_effects(fleet_);
    effects_.insert(effects_.end(), std::make_move_iterator(answers.begin()), std::make_move_iterator(answers.end()));
    if (!out.is_fleet_changed) {
        return;
    }
    is_fleet_changed_ = true;
    for (const auto& [id, node] : fleet_.nodes()) {
        for (const auto& [slot, actor] : node.actors) {
            if (!actor.lent_to.value.empty()) {
                ask_back_staged(node, actor);
            }
        }
    }
}

} // namespace sdfleet::coordinator
