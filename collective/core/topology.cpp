// SPDX-License-Identifier: Apache-2.0
#include "collective/core/topology.hpp"

#include <bit>

namespace sdfleet::collective {

namespace {

/// Trees are drawn with the root as 0; this turns such a place into a rank.
proto::Rank rank_at(std::uint32_t place, std::uint32_t root, std::uint32_t world_size)
{
    return {(place + root) % world_size};
}

std::uint32_t place_of(std::uint32_t rank, std::uint32_t root, std::uint32_t world_size)
{
    return (rank + world_size - root) % world_size;
}

TreePlace k_ary_tree(std::uint32_t rank, std::uint32_t root, std::uint32_t world_size, std::uint32_t children)
{
    const auto place = place_of(rank, root, world_size);
    TreePlace tree;
    if (place != 0) {
        tree.parent = rank_at((place - 1) / children, root, world_size);
    }
    for (std::uint64_t k = 1; k <= children; ++k) {
        const auto child = std::uint64_t{place} * children + k;
        if (child < world_size) {
            tree.children.push_back(rank_at(static_cast<std::uint32_t>(child), root, world_size));
        }
    }
    return tree;
}

} // namespace

TreePlace gathering_tree(std::uint32_t rank, std::uint32_t root, std::uint32_t world_size)
{
    return k_ary_tree(rank, root, world_size, world_size <= star_size ? star_size : fan_out);
}

TreePlace spreading_tree(std::uint32_t rank, std::uint32_t root, std::uint32_t world_size)
{
    if (world_size <= star_size) {
        return k_ary_tree(rank, root, world_size, star_size);
    }
    // A place's parent lacks its highest bit; its children have one bit more, beyond its own highest.
    const auto place = place_of(rank, root, world_size);
    TreePlace tree;
    if (place != 0) {
        tree.parent = rank_at(place - std::bit_floor(place), root, world_size);
    }
    for (std::uint64_t bit = place == 0 ? 1 : std::uint64_t{std::bit_floor(place)} * 2; place + bit < world_size;
         bit *= 2) {
        tree.children.push_back(rank_at(static_cast<std::uint32_t>(place + bit), root, world_size));
    }
    return tree;
}

} // namespace sdfleet::collective
