// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/ids.hpp"

#include <compare>
#include <cstdint>

namespace sdfleet::agent {

/// One process of an actor: the slot, and the how-manieth process it is there. News of an earlier one is recognised.
struct Launch {
    proto::Slot slot;
    std::uint64_t number = 0;

    auto operator<=>(const Launch&) const = default;
};

} // namespace sdfleet::agent
