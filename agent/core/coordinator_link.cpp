// SPDX-License-Identifier: Apache-2.0
#include "agent/core/coordinator_link.hpp"

namespace sdfleet::agent {

namespace {

// A coordinator with absurd settings must neither make us flood it nor let a lease end between two heartbeats.
constexpr Milliseconds min_heartbeat_interval{20};
constexpr int min_heartbeats_per_lease = 2;

} // namespace

void CoordinatorLink::on_writable(proto::Channel channel, Milliseconds now)
{
    if (channel == proto::Channel::control) {
        greet(control_greeting_, now);
    } else if (membership_) {
        greet_bulk_again(now);
    } // else the bulk connection is greeted after the control connection's welcome
}

void CoordinatorLink::on_control_welcome(const proto::Welcome& welcome, const proto::ClusterId& cluster,
                                         Milliseconds now)
{
    // A second hello may be answered after the first answer has come: late, perhaps, and the lease is no longer for that.
    const auto lease_so_far = membership_ ? membership_->lease_until : hello_sent_at_;
    control_greeting_.reset();
    version_ = welcome.protocol_version;
    cluster_ = cluster;
    Membership membership;
    membership.heartbeat_interval = std::max(Milliseconds(welcome.heartbeat_interval_ms), min_heartbeat_interval);
    membership.lease =
        std::max(Milliseconds(welcome.lease_ms), membership.heartbeat_interval * min_heartbeats_per_lease);
    membership.lease_until = std::max(lease_so_far, hello_sent_at_ + membership.lease);
    membership.next_heartbeat_at = now;
    membership_ = std::move(membership);
    greet_bulk_again(now);
}

void CoordinatorLink::on_bulk_welcome()
{
    if (membership_) {
        bulk_greeting_.reset();
        membership_->is_bulk_open = true;
    }
}

void CoordinatorLink::on_heartbeat_ack(const proto::HeartbeatAck& ack)
{
    if (!membership_) {
        return;
    }
    auto& sent = membership_->unacknowledged;
    while (!sent.empty() && sent.front().sequence < ack.sequence) {
        sent.pop_front();
    }
    if (sent.empty() || sent.front().sequence != ack.sequence) {
        return; // from before the last welcome, or twice
    }
    membership_->lease =
        std::max(Milliseconds(ack.lease_ms), membership_->heartbeat_interval * min_heartbeats_per_lease);
    membership_->lease_until = sent.front().at + membership_->lease;
    sent.pop_front();
}

void CoordinatorLink::on_not_registered(Milliseconds now)
{
    if (!control_greeting_) {
        greet(control_greeting_, now);
    }
}

void CoordinatorLink::on_full(Milliseconds now)
{
    membership_.reset();
    bulk_greeting_.reset();
    control_greeting_ = Greeting{now + limits_.hello_retry_last, limits_.hello_retry_last};
}

void CoordinatorLink::on_other_cluster(Milliseconds now)
{
    membership_.reset();
    bulk_greeting_.reset();
    cluster_ = {};
    greet(control_greeting_, now);
}

void CoordinatorLink::greet_bulk_again(Milliseconds now)
{
    membership_->is_bulk_open = false;
    greet(bulk_greeting_, now);
}

bool CoordinatorLink::take_due(std::optional<Greeting>& greeting, Milliseconds now) const
{
    if (!greeting || now < greeting->next_at) {
        return false;
    }
    greeting->next_at = now + greeting->delay;
    greeting->delay = std::min(greeting->delay * 2, limits_.hello_retry_last);
    return true;
}

CoordinatorLink::Due CoordinatorLink::take_due(Milliseconds now)
{
    Due due;
    if (membership_ && now >= membership_->lease_until) {
        due.is_lease_lost = true;
        membership_.reset();
        bulk_greeting_.reset();
        greet(control_greeting_, now);
    }
    due.control_hello = take_due(control_greeting_, now);
    hello_sent_at_ = due.control_hello ? now : hello_sent_at_;
    due.redial = due.control_hello && !membership_ && control_greeting_->delay == limits_.hello_retry_last;
    due.bulk_hello = take_due(bulk_greeting_, now);
    if (membership_ && now >= membership_->next_heartbeat_at) {
        due.heartbeat = ++sequence_;
        membership_->unacknowledged.push_back({sequence_, now});
        membership_->next_heartbeat_at = now + membership_->heartbeat_interval;
    }
    return due;
}

std::optional<Milliseconds> CoordinatorLink::next_deadline() const
{
    std::optional<Milliseconds> deadline;
    if (membership_) {
        deadline = std::min(membership_->lease_until, membership_->next_heartbeat_at);
    }
    if (control_greeting_) {
        deadline = earlier(deadline, control_greeting_->next_at);
    }
    if (bulk_greeting_) {
        deadline = earlier(deadline, bulk_greeting_->next_at);
    }
    return deadline;
}

} // namespace sdfleet::agent
