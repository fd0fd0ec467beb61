// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/milliseconds.hpp"
#include "proto/messages.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sdfleet::coordinator {

/// How long items took from their Assign to the arrival of their result, counted in buckets from 1 ms to 100 s.
class DispatchTimes {
public:
    static constexpr std::size_t buckets = 17;

    void count(Milliseconds time);
    std::vector<proto::HistogramBucket> report() const;
    Milliseconds sum() const { return sum_; }

private:
    std::array<std::uint64_t, buckets> counts_{};
    Milliseconds sum_;
};

/// Something went wrong and was dealt with.
struct Fault {
    Milliseconds at;
    std::string text;
};

} // namespace sdfleet::coordinator
