// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/sim/agenda.hpp"

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

namespace sdfleet::sim {

/// What happened, for people; and a fingerprint of it, which is kept also when nobody wants the lines.
class Trace {
public:
    /// Keeps the last `capacity` lines; 0 = none.
    explicit Trace(std::size_t capacity) : capacity_(capacity) {}

    /// `text` is called only when lines are kept; `key` goes into the fingerprint.
    void note(Time now, std::string_view who, std::uint64_t key, const auto& text)
    {
        mix(static_cast<std::uint64_t>(now));
        mix(std::hash<std::string_view>()(who));
        mix(key);
        if (capacity_ > 0) {
            lines_.push_back(stamp(now) + " " + std::string(who) + ": " + text());
            if (lines_.size() > capacity_) {
                lines_.pop_front();
            }
        }
    }

    const std::deque<std::string>& lines() const { return lines_; }
    std::uint64_t fingerprint() const { return fingerprint_; }

private:
    static std::string stamp(Time now)
    {
        const auto milliseconds = std::to_string(1'000 + now % 1'000).substr(1);
        auto text = std::to_string(now / 1'000) + "." + milliseconds;
        return std::string(text.size() < 9 ? 9 - text.size() : 0, ' ') + text;
    }
    void mix(std::uint64_t value) { fingerprint_ = (fingerprint_ ^ value) * 0x100000001b3U + 0x9e3779b97f4a7c15U; }

    std::size_t capacity_;
    std::deque<std::string> lines_;
    std::uint64_t fingerprint_ = 0xcbf29ce484222325U;
};

} // namespace sdfleet::sim
