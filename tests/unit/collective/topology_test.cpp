// SPDX-License-Identifier: Apache-2.0
#include "collective/core/missing_ranks.hpp"
#include "collective/core/topology.hpp"

#include "tests/catch.hpp"

#include <algorithm>

#include <rapidcheck.h>

using namespace sdfleet::collective;

TEST_CASE("a tree reaches every rank from its root, once, and children and parents agree")
{
    rc::check([] {
        const auto world_size = *rc::gen::inRange(1u, 300u);
        const auto root = *rc::gen::inRange(0u, world_size);
        for (const auto& tree : {gathering_tree, spreading_tree}) {
            std::vector<int> times_child(world_size);
            for (std::uint32_t rank = 0; rank < world_size; ++rank) {
                const auto place = tree(rank, root, world_size);
                RC_ASSERT(place.parent.has_value() == (rank != root));
                RC_ASSERT(place.children.size() <= star_size);
                for (const auto child : place.children) {
                    ++times_child.at(child.value);
                    RC_ASSERT(tree(child.value, root, world_size).parent == Rank{rank});
                }
                std::uint32_t steps = 0;
                for (auto up = place; up.parent; up = tree(up.parent->value, root, world_size)) {
                    RC_ASSERT(++steps < world_size); // no circle
                }
            }
            times_child[root] += 1;
            RC_ASSERT(std::ranges::all_of(times_child, [](int times) { return times == 1; }));
        }
    });
}

TEST_CASE("who answers is there; whom it waits for is asked next; who stays silent is missing")
{
    MissingRanks inquiry({1}, {{0}});
    REQUIRE(inquiry.take_unasked() == std::vector<Rank>{{0}});
    inquiry.answer({0}, {{1}, {2}, {3}});
    REQUIRE(inquiry.take_unasked() == std::vector<Rank>{{2}, {3}}); // not itself
    inquiry.answer({2}, {{0}});
    REQUIRE(inquiry.take_unasked().empty());
    REQUIRE(inquiry.missing() == std::vector<Rank>{{3}});
    inquiry.answer({3}, {});
    REQUIRE(inquiry.missing() == std::vector<Rank>{{0}}); // all are there, and slow
}

TEST_CASE("answers that nobody asked for count for nothing")
{
    MissingRanks inquiry({1}, {{0}});
    inquiry.answer({0}, {{9}});
    inquiry.answer({7}, {{8}});
    REQUIRE(inquiry.take_unasked() == std::vector<Rank>{{0}});
    REQUIRE(inquiry.missing() == std::vector<Rank>{{0}});
}
