// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/core/settings.hpp"
#include "coordinator/core/options.hpp"
#include "tests/sim/agenda.hpp"
#include "tests/sim/random.hpp"

#include <optional>
#include <string>
#include <vector>

namespace sdfleet::sim {

/// A machine of the fleet.
struct NodePlan {
    std::string name;
    std::size_t actors = 1;
    std::vector<std::string> models;
    std::uint32_t slowness = 1; ///< its steps take so many times as long
    std::size_t max_batch = 1;  ///< items that each of its actors draws at once
};

/// A job that a client will submit.
struct JobPlan {
    proto::JobId id;
    proto::JobSpec spec;
    Time submit_at = 0;
    std::optional<Time> cancel_after;
};

/// A program that a client of its own will launch.
struct ProgramPlan {
    proto::ProgramId id;
    proto::ProgramSpec spec;
    Time launch_at = 0;
    std::optional<Time> stop_at;
    std::optional<Time> silent_at; ///< its client dies
};

/// The world before anything goes wrong in it: a function of the seed.
struct Scenario {
    std::vector<NodePlan> nodes;
    std::vector<std::vector<JobPlan>> clients; ///< each with its jobs
    std::vector<ProgramPlan> programs;
    coordinator::Options options;
    coordinator::Limits limits;
    agent::Limits agent_limits;
    Time faults_end = 0;
    Time drained_by = 0; ///< by then everything has to be over
};

Scenario make_scenario(Random random);

/// Prompts say what becomes of an item: the actor reads them.
constexpr const char* poison_prompt = "poison";         ///< kills each actor that draws it
constexpr const char* impossible_prompt = "impossible"; ///< fails for good

} // namespace sdfleet::sim
