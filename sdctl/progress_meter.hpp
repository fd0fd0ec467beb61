// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

namespace sdfleet::sdctl {

/// How fast something goes and when it will be done, from samples of how much was done when. Pure: told the time.
class ProgressMeter {
public:
    using Time = std::chrono::milliseconds; ///< since any fixed moment

    /// `total` is what there is to do, in the same unit as the samples.
    explicit ProgressMeter(std::uint64_t total) : total_(total) {}

    /// Times do not go back. What was done may: a lost node's steps are drawn again.
    void add(Time now, std::uint64_t done);

    /// Per second over the last ten seconds; nothing before there is something to measure.
    std::optional<double> rate() const;

    std::optional<std::chrono::seconds> time_left() const;

private:
    struct Sample {
        Time time{};
        std::uint64_t done = 0;
    };

    std::uint64_t total_;
    std::deque<Sample> samples_;
};

} // namespace sdfleet::sdctl
