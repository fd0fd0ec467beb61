// SPDX-License-Identifier: Apache-2.0
// A check that cannot fail proves nothing: each of these bugs, put between the cores and the simulated world, is to be
// found within a few seeds, and is to be the reason.
#include "tests/sim/run.hpp"

#include "tests/catch.hpp"

using namespace sdfleet::sim;

namespace {

constexpr std::uint64_t most_seeds = 200;

void require_caught(Mutation mutation, const std::string& invariant)
{
    for (std::uint64_t seed = 1; seed <= most_seeds; ++seed) {
        const auto outcome = run_seed(seed, {}, mutation);
        if (!outcome.violation) {
            continue;
        }
        INFO("seed " << seed << ": " << *outcome.violation);
        REQUIRE(outcome.invariant == invariant);
        REQUIRE_FALSE(run_seed(seed).violation);

        const auto smallest = shrink(seed, outcome, mutation);
        REQUIRE(smallest.faults <= outcome.faults);
        REQUIRE(run_seed(seed, smallest, mutation).invariant == invariant);
        return;
    }
    FAIL("not caught by " << most_seeds << " seeds");
}

} // namespace

TEST_CASE("what is acknowledged before it is on disk is caught")
{
    require_caught(Mutation::acknowledges_early, "I1");
}

TEST_CASE("a result of a superseded attempt that is acknowledged as accepted is caught")
{
    require_caught(Mutation::accepts_superseded, "I2");
}

TEST_CASE("an agent that works on after its lease is caught")
{
    require_caught(Mutation::ignores_lease_loss, "I3");
}
