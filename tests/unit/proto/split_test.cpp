// SPDX-License-Identifier: Apache-2.0
#include "proto/split.hpp"

#include "tests/catch.hpp"

#include <rapidcheck.h>

using sdfleet::proto::IndexRange;
using sdfleet::proto::rank_of_item;
using sdfleet::proto::split_between_processes;

TEST_CASE("shares equal those that accelerate 1.15 gave")
{
    struct Case {
        std::size_t count, num_processes;
        std::vector<IndexRange> shares;
    };
    const std::vector<Case> cases{
        {2, 2, {{0, 1}, {1, 2}}},         {3, 2, {{0, 2}, {2, 3}}},         {1, 2, {{0, 1}, {1, 1}}},
        {7, 2, {{0, 4}, {4, 7}}},         {5, 3, {{0, 2}, {2, 4}, {4, 5}}}, {7, 3, {{0, 3}, {3, 5}, {5, 7}}},
        {1, 3, {{0, 1}, {1, 1}, {1, 1}}},
    };
    for (const auto& [count, num_processes, shares] : cases) {
        for (std::size_t rank = 0; rank < num_processes; ++rank) {
            CAPTURE(count, num_processes, rank);
            REQUIRE(split_between_processes(count, num_processes, rank) == shares[rank]);
        }
    }
}

TEST_CASE("shares follow each other without gap, and every item knows its rank")
{
    REQUIRE(rc::check([] {
        const auto count = *rc::gen::inRange<std::size_t>(0, 200);
        const auto num_processes = *rc::gen::inRange<std::size_t>(1, 20);
        std::size_t next = 0;
        for (std::size_t rank = 0; rank < num_processes; ++rank) {
            const auto share = split_between_processes(count, num_processes, rank);
            RC_ASSERT(share.begin == next);
            for (std::size_t item = share.begin; item < share.end; ++item) {
                RC_ASSERT(rank_of_item(item, count, num_processes) == rank);
            }
            next = share.end;
        }
        RC_ASSERT(next == count);
    }));
}
