// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

namespace sdfleet::sim {

/// A promise was broken. The name is that of docs/simulation.md ("I2").
struct Violation : std::runtime_error {
    Violation(std::string name, const std::string& text)
        : std::runtime_error(name + ": " + text), invariant(std::move(name))
    {
    }
    std::string invariant;
};

inline void require(bool holds, const char* invariant, const auto& text)
{
    if (!holds) {
        throw Violation(invariant, text());
    }
}

} // namespace sdfleet::sim
