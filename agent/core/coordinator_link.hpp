// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/core/settings.hpp"

#include <cstdint>
#include <deque>
#include <optional>

namespace sdfleet::agent {

/// The agent's standing with the coordinator: greeted or not, on both connections, when to say what again, and until when
/// the lease holds. Knows times only; the core writes the messages.
///
/// The lease is counted from when the acknowledged heartbeat was *sent*: the coordinator counts from when it came, so the
/// agent always gives up first.
class CoordinatorLink {
public:
    explicit CoordinatorLink(const Limits& limits)
        : limits_(limits), control_greeting_(Greeting{limits.hello_retry_first, limits.hello_retry_first})
    {
    }

    bool is_member() const { return membership_.has_value(); }
    bool is_bulk_open() const { return membership_ && membership_->is_bulk_open; }

    /// What every message of ours carries.
    proto::Envelope envelope() const { return {version_, cluster_, 0, 0}; }

    void on_writable(proto::Channel channel, Milliseconds now);
    void on_control_welcome(const proto::Welcome& welcome, const proto::ClusterId& cluster, Milliseconds now);
    void on_bulk_welcome();
    void on_heartbeat_ack(const proto::HeartbeatAck& ack);

    /// The coordinator does not know us; many messages may say so before the next hello is answered.
    void on_not_registered(Milliseconds now);

    /// The coordinator is full: membership is over, the next hello comes late.
    void on_full(Milliseconds now);

    /// The coordinator is another one than before.
    void on_other_cluster(Milliseconds now);

    void greet_bulk_again(Milliseconds now);

    /// What is to be said now; saying it is then taken as done.
    struct Due {
        bool is_lease_lost = false; ///< the work in hand is not ours any more
        bool redial = false;        ///< hellos have gone unanswered for long
        bool control_hello = false;
        bool bulk_hello = false;
        std::optional<std::uint64_t> heartbeat; ///< its sequence number
    };
    Due take_due(Milliseconds now);

    std::optional<Milliseconds> next_deadline() const;

private:
    /// Hellos until one is answered.
    struct Greeting {
        Milliseconds next_at{};
        Milliseconds delay{};
    };
    struct SentHeartbeat {
        std::uint64_t sequence = 0;
        Milliseconds at{};
    };
    struct Membership {
        Milliseconds heartbeat_interval{};
        Milliseconds lease{};
        Milliseconds lease_until{};
        Milliseconds next_heartbeat_at{};
        std::deque<SentHeartbeat> unacknowledged;
        bool is_bulk_open = false;
    };

    void greet(std::optional<Greeting>& greeting, Milliseconds now) const
    {
        greeting = Greeting{now, limits_.hello_retry_first};
    }
    bool take_due(std::optional<Greeting>& greeting, Milliseconds now) const;

    Limits limits_;
    std::uint16_t version_ = proto::protocol_version_max;
    proto::ClusterId cluster_; ///< empty until the first welcome
    std::uint64_t sequence_ = 0;
    Milliseconds hello_sent_at_{}; ///< the newest one on the control connection
    std::optional<Greeting> control_greeting_;
    std::optional<Greeting> bulk_greeting_;
    std::optional<Membership> membership_;
};

} // namespace sdfleet::agent
