// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/gpu/rank_checks.hpp"

namespace sdfleet::gpu_test {

/// The same as run_rank() with a ProcessGroup of Backend::nccl: each operation on device memory, sizes that differ, an abort, a
/// rank without a device, and at last rank 1 dies while rank 0 waits for it inside NCCL. Prints the same kind of report.
void run_group_rank(const RankPlan& plan);

} // namespace sdfleet::gpu_test
