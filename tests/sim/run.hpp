// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/sim/fault.hpp"
#include "tests/sim/mutation.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace sdfleet::sim {

/// What came of one seed.
struct Outcome {
    std::optional<std::string> violation;
    std::string invariant; ///< its name
    std::uint64_t fingerprint = 0;
    std::uint64_t events = 0;
    std::uint64_t accepted_results = 0;
    std::uint64_t faults = 0;
    std::array<std::uint64_t, fault_count> faults_by_kind{};
    std::deque<std::string> trace;
};

Outcome run_seed(std::uint64_t seed, const FaultLimits& limits = {}, Mutation mutation = Mutation::none,
                 std::size_t trace_lines = 0);

/// The fewest faults, and of the fewest kinds, with which the seed still breaks this invariant.
FaultLimits shrink(std::uint64_t seed, const Outcome& failure, Mutation mutation = Mutation::none);

/// Seed, invariant, and the last events of the smallest run that breaks it, for people.
std::string explain(std::uint64_t seed, const Outcome& failure, Mutation mutation = Mutation::none);

} // namespace sdfleet::sim
