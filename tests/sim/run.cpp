// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/run.hpp"

#include "tests/sim/violation.hpp"
#include "tests/sim/world.hpp"

#include <exception>

namespace sdfleet::sim {

namespace {

constexpr std::size_t shown_lines = 60;

bool still_fails(std::uint64_t seed, const FaultLimits& limits, const std::string& invariant, Mutation mutation)
{
    const auto outcome = run_seed(seed, limits, mutation);
    return outcome.violation && outcome.invariant == invariant;
}

} // namespace

Outcome run_seed(std::uint64_t seed, const FaultLimits& limits, Mutation mutation, std::size_t trace_lines)
{
    Environment environment(seed, limits, mutation, trace_lines);
    Outcome outcome;
    {
        World world(environment);
        try {
            world.run();
        } catch (const Violation& violation) {
            outcome.violation = violation.what();
            outcome.invariant = violation.invariant;
        } catch (const std::exception& error) {
            outcome.violation = std::string("exception: ") + error.what();
            outcome.invariant = "exception";
        }
    }
    outcome.fingerprint = environment.trace.fingerprint();
    outcome.events = environment.agenda.done();
    outcome.accepted_results = environment.accepted_results;
    outcome.faults = environment.faults.total();
    outcome.faults_by_kind = environment.faults.counts();
    outcome.trace = environment.trace.lines();
    return outcome;
}

FaultLimits shrink(std::uint64_t seed, const Outcome& failure, Mutation mutation)
{
    FaultLimits best;
    std::uint64_t too_few = 0;
    std::uint64_t enough = failure.faults;
    while (too_few < enough) { // fewer faults mostly break less, so that a bisection finds a small number
        FaultLimits fewer = best;
        fewer.faults = too_few + (enough - too_few) / 2;
        if (still_fails(seed, fewer, failure.invariant, mutation)) {
            enough = fewer.faults;
        } else {
            too_few = fewer.faults + 1;
        }
    }
    best.faults = enough;
    for (std::size_t kind = 0; kind < fault_count; ++kind) {
        FaultLimits without = best;
        without.is_dropped.at(kind) = true;
        if (failure.faults_by_kind.at(kind) > 0 && still_fails(seed, without, failure.invariant, mutation)) {
            best = without;
        }
    }
    return best;
}

std::string explain(std::uint64_t seed, const Outcome& failure, Mutation mutation)
{
    const auto smallest = run_seed(seed, shrink(seed, failure, mutation), mutation, shown_lines);
    std::string text = "seed " + std::to_string(seed) + " broke " + *failure.violation + "\nwith " +
                       std::to_string(smallest.faults) + " of " + std::to_string(failure.faults) + " faults (";
    const char* separator = "";
    for (std::size_t kind = 0; kind < fault_count; ++kind) {
        if (smallest.faults_by_kind.at(kind) > 0) {
            text += separator + std::string(name_of(static_cast<Fault>(kind))) + " " +
                    std::to_string(smallest.faults_by_kind.at(kind));
            separator = ", ";
        }
    }
    text += ") it still does: " + smallest.violation.value_or("no more") + "\nthe last events:\n";
    for (const auto& line : smallest.trace) {
        text += line + "\n";
    }
    return text;
}

} // namespace sdfleet::sim
