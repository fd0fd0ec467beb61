// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>

namespace sdfleet::coordinator {

/// A point in monotonic time (counted from some start that only the shell knows), or a length of it.
struct Milliseconds {
    std::int64_t count = 0;

    auto operator<=>(const Milliseconds&) const = default;
    friend Milliseconds operator+(Milliseconds a, Milliseconds b) { return {a.count + b.count}; }
    friend Milliseconds operator-(Milliseconds a, Milliseconds b) { return {a.count - b.count}; }
};

} // namespace sdfleet::coordinator
