// SPDX-License-Identifier: Apache-2.0
#include "sdctl/progress_meter.hpp"

#include <cmath>

namespace sdfleet::sdctl {

namespace {

constexpr std::chrono::milliseconds window{10'000};
constexpr std::chrono::milliseconds shortest_span{200}; ///< below this a rate is mostly noise

} // namespace

void ProgressMeter::add(Time now, std::uint64_t done)
{
    if (!samples_.empty() && done < samples_.back().done) {
        samples_.clear();
    }
    samples_.push_back({now, done});
    while (samples_.size() > 2 && now - samples_[1].time >= window) {
        samples_.pop_front();
    }
}

std::optional<double> ProgressMeter::rate() const
{
    if (samples_.empty()) {
        return std::nullopt;
    }
    const auto span = samples_.back().time - samples_.front().time;
    const auto done = samples_.back().done - samples_.front().done;
    if (span < shortest_span || done == 0) {
        return std::nullopt;
    }
    return static_cast<double>(done) / (static_cast<double>(span.count()) / 1000.0);
}

std::optional<std::chrono::seconds> ProgressMeter::time_left() const
{
    const auto per_second = rate();
    if (!per_second) {
        return std::nullopt;
    }
    const auto done = samples_.back().done;
    const auto left = done < total_ ? total_ - done : 0;
    return std::chrono::seconds(std::llround(std::ceil(static_cast<double>(left) / *per_second)));
}

} // namespace sdfleet::sdctl
