// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

namespace sdfleet::sim {

/// Virtual milliseconds since the run began.
using Time = std::int64_t;

/// What is going to happen, in the order of time; what is due at one time happens in the order it was put down.
class Agenda {
public:
    Time now() const { return now_; }
    void at(Time time, std::function<void()> action)
    {
        actions_.emplace(std::pair(time < now_ ? now_ : time, ++sequence_), std::move(action));
    }
    void in(Time delay, std::function<void()> action) { at(now_ + delay, std::move(action)); }

    /// Turns the clock to the next action and runs it. False when there is none.
    bool run_next()
    {
        if (actions_.empty()) {
            return false;
        }
        const auto next = actions_.extract(actions_.begin());
        now_ = next.key().first;
        ++done_;
        next.mapped()();
        return true;
    }

    std::uint64_t done() const { return done_; }

private:
    Time now_ = 0;
    std::uint64_t sequence_ = 0;
    std::uint64_t done_ = 0;
    std::map<std::pair<Time, std::uint64_t>, std::function<void()>> actions_;
};

} // namespace sdfleet::sim
