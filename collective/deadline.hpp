// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>

namespace sdfleet::collective {

/// When to give up.
struct Deadline {
    using Clock = std::chrono::steady_clock;

    Clock::time_point at;
    std::chrono::milliseconds timeout;

    /// Counted from now; a negative timeout is none, one beyond a year is a year.
    static Deadline in(std::chrono::milliseconds timeout)
    {
        using std::chrono::milliseconds;
        constexpr milliseconds longest = std::chrono::hours(24 * 365); // adding it to now does not overflow
        const auto bounded = std::clamp(timeout, milliseconds(0), longest);
        return {Clock::now() + bounded, bounded};
    }

    bool has_come() const { return Clock::now() >= at; }

    std::chrono::milliseconds left() const
    {
        using std::chrono::milliseconds;
        return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(at - Clock::now()));
    }
};

} // namespace sdfleet::collective
