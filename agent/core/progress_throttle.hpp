// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/core/settings.hpp"

#include <optional>
#include <utility>

namespace sdfleet::agent {

/// Lets one StepProgress of an attempt through per interval. The newest of those held back follows when the interval is
/// over; the one of the last step never waits.
class ProgressThrottle {
public:
    /// What to send now, if anything.
    std::optional<proto::StepProgress> offer(const proto::StepProgress& progress, Milliseconds interval,
                                             Milliseconds now)
    {
        if (progress.step < progress.steps && now < next_at_) {
            held_back_ = progress;
            return std::nullopt;
        }
        held_back_.reset();
        next_at_ = now + interval;
        return progress;
    }

    /// The one held back, when its time has come.
    std::optional<proto::StepProgress> take_due(Milliseconds interval, Milliseconds now)
    {
        if (!held_back_ || now < next_at_) {
            return std::nullopt;
        }
        next_at_ = now + interval;
        return std::exchange(held_back_, std::nullopt);
    }

    std::optional<Milliseconds> deadline() const { return held_back_ ? std::optional(next_at_) : std::nullopt; }

private:
    Milliseconds next_at_{};
    std::optional<proto::StepProgress> held_back_;
};

} // namespace sdfleet::agent
