// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

namespace sdfleet::agent {

/// A duration, or a moment: time since some start of a clock that never goes back. The core is told; it reads no clock.
using Milliseconds = std::chrono::milliseconds;

/// Of two deadlines, either of which may not exist, the one that comes first.
inline std::optional<Milliseconds> earlier(std::optional<Milliseconds> a, std::optional<Milliseconds> b)
{
    if (a && b) {
        return std::min(*a, *b);
    }
    return a ? a : b;
}

} // namespace sdfleet::agent
