// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/core/settings.hpp"
#include "proto/program_messages.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sdfleet::agent {

/// What a rank finds in its environment: the names that torchrun sets, so that programs for torch.distributed and
/// accelerate work unchanged, ours (SDFLEET_PROGRAM, SDFLEET_EPOCH, SDFLEET_AGENT), and what the program's client asked
/// for, which comes last and so wins. GPUs are those of all the node's ranks, in their order: local rank R has number
/// R * devices_per_rank and those after it. Of MIG instances each rank gets its own alone.
std::vector<std::pair<std::string, std::string>> rank_environment(const Settings& settings,
                                                                  const proto::StartRanks& order,
                                                                  const proto::RankPlace& place,
                                                                  std::uint16_t master_port);

} // namespace sdfleet::agent
