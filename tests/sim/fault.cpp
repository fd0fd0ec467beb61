// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/fault.hpp"

namespace sdfleet::sim {

std::string_view name_of(Fault fault)
{
    constexpr std::array<std::string_view, fault_count> names{
        "loss",        "duplicate",     "delay",     "reorder",     "corruption",        "cut",
        "one-way-cut", "stall",         "mass-cut",  "reconnect",   "coordinator-crash", "coordinator-pause",
        "agent-crash", "agent-pause",   "clone",     "actor-death", "actor-stop",        "actor-stuck",
        "actor-slow",  "store-failure", "disk-full", "slow-disk",   "stranger",          "rank-death"};
    return names.at(static_cast<std::size_t>(fault));
}

bool FaultPlan::strikes(Fault fault, std::uint64_t per_million)
{
    const auto index = static_cast<std::size_t>(fault);
    const bool wants = random_.below(1'000'000) < per_million * rates_.at(index);
    if (!wants || is_over_ || limits_.is_dropped.at(index) || total_ >= limits_.faults) {
        return false;
    }
    ++total_;
    ++counts_.at(index);
    return true;
}

} // namespace sdfleet::sim
