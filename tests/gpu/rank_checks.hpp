// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/cuda/nccl_plugin.h"
#include "collective/options.hpp"

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

namespace sdfleet::gpu_test {

struct RankPlan {
    std::string plugin;
    std::uint32_t rank = 0;
    std::uint32_t world_size = 1;
    int device = 0;
    int control_fd = -1;    ///< to the other rank, a SOCK_SEQPACKET; -1 in a world of one
    std::uint16_t port = 0; ///< where ranks meet that form a ProcessGroup
};

/// One rank's part of the test: forms a group, checks each operation, lets one run into its deadline, forms the next epoch's
/// group, and there rank 1 dies. Prints, on stdout, what became of it before that: {"formed": bool, "why": text,
/// "checks": [{"name", "ok", "detail"}], "figures": {name: number}, "facts": {}}; "why" only if it ended early.
void run_rank(const RankPlan& plan);

/// Such that two ranks of one machine find each other, on one GPU, too.
collective::NcclOptions nccl_options(const RankPlan& plan);

nlohmann::json to_json(const sdfleet_nccl_facts& facts);

} // namespace sdfleet::gpu_test
