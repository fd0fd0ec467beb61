// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

namespace sdfleet::coordinator {

/// Lets one log line through per period, so that a peer cannot fill the log.
class RateLimit {
public:
    using Clock = std::chrono::steady_clock;

    explicit RateLimit(Clock::duration period) : period_(period) {}

    /// How many events the line to be written now stands for; nothing when it should not be written.
    std::optional<std::uint64_t> count(Clock::time_point now)
    {
        ++pending_;
        if (last_ && now - *last_ < period_) {
            return std::nullopt;
        }
        last_ = now;
        return std::exchange(pending_, 0);
    }

private:
    Clock::duration period_;
    std::optional<Clock::time_point> last_;
    std::uint64_t pending_ = 0;
};

} // namespace sdfleet::coordinator
