// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/sim/agenda.hpp"
#include "tests/sim/fault.hpp"
#include "tests/sim/mutation.hpp"
#include "tests/sim/rank_watch.hpp"
#include "tests/sim/scenario.hpp"
#include "tests/sim/trace.hpp"

#include <map>
#include <string>
#include <vector>

namespace sdfleet::sim {

/// What one run has in common, and all that it depends on.
struct Environment {
    Environment(std::uint64_t seed, FaultLimits fault_limits, Mutation its_mutation, std::size_t trace_lines)
        : Environment(Random(seed), fault_limits, its_mutation, trace_lines)
    {
    }

    Time now() const { return agenda.now(); }

    Scenario scenario;
    FaultPlan faults;
    Random random; ///< for all that is not a fault: delays, durations
    Agenda agenda;
    Trace trace;
    Mutation mutation;
    std::uint64_t accepted_results = 0;
    std::map<proto::AttemptId, std::string> drawn_by; ///< every attempt that an actor was given
    RankWatch ranks;
    std::vector<proto::ProgramState> ended_programs; ///< as their clients were told

private:
    Environment(Random seeded, FaultLimits fault_limits, Mutation its_mutation, std::size_t trace_lines)
        : scenario(make_scenario(seeded.fork())), faults(seeded.fork(), fault_limits), random(seeded.fork()),
          trace(trace_lines), mutation(its_mutation), ranks(scenario.options.lease.count)
    {
    }
};

} // namespace sdfleet::sim
