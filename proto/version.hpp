// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/messages.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

namespace sdfleet::proto {

struct VersionRange {
    std::uint16_t min = protocol_version_min;
    std::uint16_t max = protocol_version_max;
};

/// The highest version that both sides speak; nothing when there is none.
inline std::optional<std::uint16_t> negotiate(VersionRange ours, VersionRange theirs)
{
    const auto version = std::min(ours.max, theirs.max);
    if (version < ours.min || version < theirs.min) {
        return std::nullopt;
    }
    return version;
}

/// The refusal of a peer with which no version is shared; names both ranges.
inline Refused refuse_version(VersionRange ours, VersionRange theirs)
{
    const auto name = [](VersionRange range) { return std::to_string(range.min) + " to " + std::to_string(range.max); };
    return {RefusalReason::protocol_version,
            "no common protocol version: this side speaks " + name(ours) + ", the other " + name(theirs) +
                "; run programs of the same release on both sides",
            ours.min, ours.max};
}

} // namespace sdfleet::proto
