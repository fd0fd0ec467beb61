// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/core/effect.hpp"
#include "agent/core/finished_attempt.hpp"
#include "agent/core/settings.hpp"

#include <deque>
#include <optional>
#include <vector>

namespace sdfleet::agent {

/// Finished attempts until the coordinator acknowledges them. Only a window of them is on the wire at a time, so that the
/// bulk socket never fills up: when it says that it takes messages again, the connection is a new one.
class ResultBox {
public:
    explicit ResultBox(const Limits& limits) : limits_(limits) {}

    void add(FinishedAttempt result);

    /// Forgets the result; false when there is none of this attempt.
    bool acknowledge(proto::AttemptId id);

    bool contains(proto::AttemptId id) const;
    bool is_full() const { return results_.size() >= limits_.results_kept || bytes_ >= limits_.result_bytes_kept; }

    /// Adds the attempts that it holds to `reports`.
    void report_to(std::vector<proto::AttemptReport>& reports) const;

    /// The connection is a new one: what was sent may be lost.
    void forget_what_was_sent();

    /// The packets to send now, in the order of their adding.
    std::vector<proto::Packet> take_sendable(Milliseconds now);

    /// When the result that waits longest for its acknowledgement has waited too long.
    std::optional<Milliseconds> ack_deadline() const;

    /// Drops everything: it is nobody's any more.
    void clear();

private:
    struct Entry {
        FinishedAttempt result;
        std::size_t bytes = 0;
        std::optional<Milliseconds> sent_at;
    };
    std::deque<Entry>::iterator find(proto::AttemptId id);

    Limits limits_;
    std::deque<Entry> results_;
    std::size_t bytes_ = 0;
    std::size_t on_wire_ = 0;
    std::size_t bytes_on_wire_ = 0;
};

} // namespace sdfleet::agent
