// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/ids.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace sdfleet::collective {

/// A rank's neighbours in a tree over all ranks.
struct TreePlace {
    std::optional<proto::Rank> parent; ///< none at the root
    std::vector<proto::Rank> children; ///< in the order in which they are served

    bool operator==(const TreePlace&) const = default;
};

/// All others are the root's children up to `star_size` ranks; beyond, each has at most `fan_out`.
TreePlace gathering_tree(std::uint32_t rank, std::uint32_t root, std::uint32_t world_size);

/// All others are the root's children up to `star_size` ranks; beyond, a binomial tree: whoever has the payload passes it
/// on to one more in each round.
TreePlace spreading_tree(std::uint32_t rank, std::uint32_t root, std::uint32_t world_size);

constexpr std::uint32_t star_size = 16;
constexpr std::uint32_t fan_out = 8;

} // namespace sdfleet::collective
