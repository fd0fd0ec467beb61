// SPDX-License-Identifier: Apache-2.0
// An actor's part in a group: a rank's items, all in hand at once.
#include "agent/core/actor_slot.hpp"

#include <algorithm>
#include <utility>

namespace sdfleet::agent {

namespace {

proto::ItemFailed failure_of(const proto::GroupItem& item, const proto::JobId& job_id, proto::FailureReason reason,
                             std::string why)
{
    return {item.attempt_id, job_id, item.index, reason, std::move(why)};
}

} // namespace

bool ActorSlot::is_in_group(const proto::GroupId& group, proto::Epoch epoch) const
{
    return group_ && group_->order.group == group && group_->order.epoch == epoch;
}

bool ActorSlot::is_in_group(const proto::GroupId& group, proto::Epoch epoch, proto::Rank rank) const
{
    return is_in_group(group, epoch) && group_->order.rank == rank;
}

const proto::GroupItem* ActorSlot::group_item(proto::AttemptId id) const
{
    if (!group_) {
        return nullptr;
    }
    const auto found = std::ranges::find(group_->order.items, id, &proto::GroupItem::attempt_id);
    return found == group_->order.items.end() ? nullptr : &*found;
}

proto::AttemptReport ActorSlot::report_of_group(const proto::GroupItem& item) const
{
    return {item.attempt_id, group_->order.job_id, item.index, slot_};
}

void ActorSlot::assign_group(const proto::AssignGroup& order, Outbox& out)
{
    if (is_in_group(order.group, order.epoch)) {
        return; // said twice
    }
    if (!is<Ready>() || group_ || !in_hand_.empty()) {
        const auto why = name() + (is<Ready>() ? " has other work" : " is not ready");
        for (const auto& item : order.items) {
            if (item.rank == order.rank) {
                out.finished.push_back({{item.attempt_id, order.job_id, item.index, slot_},
                                        failure_of(item, order.job_id, proto::FailureReason::overloaded, why),
                                        {}});
            }
        }
        return;
    }
    group_ = GroupInHand{order, {}, false, std::nullopt};
    for (const auto& item : order.items) {
        if (item.rank == order.rank) {
            group_->open.insert(item.attempt_id);
            out.accepted.push_back(item.attempt_id);
        }
    }
    out.to_actor(launch_, order);
}

void ActorSlot::abort_group(const std::string& why, Milliseconds now, Outbox& out)
{
    if (!group_->abort_deadline) {
        group_->abort_deadline = now + limits_.cancel_timeout;
        out.to_actor(launch_, proto::GroupAbort{group_->order.group, group_->order.epoch, {}, why});
    }
}

/// Rank 0 may answer for all items, the others for their own.
bool ActorSlot::finish_group_item(const proto::ItemDone& done, const proto::Packet& packet, Outbox& out)
{
    const auto* item = group_item(done.attempt_id);
    if (item == nullptr || packet.blobs.size() != 1 ||
        (item->rank != group_->order.rank && group_->order.rank.value != 0)) {
        return false;
    }
    auto copy = done;
    copy.job_id = group_->order.job_id;
    copy.index = item->index;
    out.finished.push_back({report_of_group(*item), std::move(copy), packet.blobs});
    group_->open.erase(done.attempt_id);
    return true;
}

bool ActorSlot::finish_group_item(const proto::ItemFailed& failure, Outbox& out)
{
    const auto* item = group_item(failure.attempt_id);
    if (item == nullptr || item->rank != group_->order.rank) {
        return false;
    }
    if (group_->open.erase(failure.attempt_id) > 0 && !group_->is_fenced) {
        out.finished.push_back(
            {report_of_group(*item), failure_of(*item, group_->order.job_id, failure.reason, failure.message), {}});
    }
    return true;
}

void ActorSlot::fail_group(proto::FailureReason reason, const std::string& why, Outbox& out)
{
    if (!group_) {
        return;
    }
    for (const auto id : std::exchange(group_->open, {})) {
        const auto* item = group_item(id);
        if (!group_->is_fenced) {
            out.finished.push_back({report_of_group(*item), failure_of(*item, group_->order.job_id, reason, why), {}});
        }
    }
    group_.reset();
}

/// What is still open then was handed to rank 0, whose agent answers for it.
void ActorSlot::on(const proto::GroupLeave& leave, const proto::Packet&, Milliseconds, Outbox&)
{
    if (is_in_group(leave.group, leave.epoch)) {
        group_.reset();
    }
}

} // namespace sdfleet::agent
