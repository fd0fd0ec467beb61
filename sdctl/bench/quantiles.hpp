// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace sdfleet::sdctl::bench {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point begin)
{
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Of many durations, in microseconds. All zero when there were none.
struct Quantiles {
    std::size_t count = 0;
    double p50_us = 0;
    double p99_us = 0;
    double max_us = 0;

    static Quantiles of(std::vector<Clock::duration> samples)
    {
        if (samples.empty()) {
            return {};
        }
        std::ranges::sort(samples);
        const auto at = [&samples](std::size_t percent) {
            return std::chrono::duration<double, std::micro>(samples[(samples.size() - 1) * percent / 100]).count();
        };
        return {samples.size(), at(50), at(99), at(100)};
    }
};

} // namespace sdfleet::sdctl::bench
