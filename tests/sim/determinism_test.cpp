// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/run.hpp"

#include "tests/catch.hpp"

#include <set>

using namespace sdfleet::sim;

TEST_CASE("a seed gives the same run each time, line by line, and another seed another run")
{
    constexpr std::size_t all_lines = 1'000'000;
    std::set<std::uint64_t> fingerprints;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        const auto first = run_seed(seed, {}, Mutation::none, all_lines);
        const auto second = run_seed(seed, {}, Mutation::none, all_lines);
        INFO("seed " << seed);
        REQUIRE(first.trace.size() > 100);
        REQUIRE(first.trace == second.trace);
        REQUIRE(first.fingerprint == run_seed(seed).fingerprint);
        fingerprints.insert(first.fingerprint);
    }
    REQUIRE(fingerprints.size() == 20);
}

TEST_CASE("a run without faults has none, and everything in it is done")
{
    FaultLimits none;
    none.faults = 0;
    const auto outcome = run_seed(1, none);

    REQUIRE_FALSE(outcome.violation);
    REQUIRE(outcome.faults == 0);
    REQUIRE(outcome.accepted_results > 0);
}
