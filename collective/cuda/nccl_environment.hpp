// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/cuda/outcome.hpp"

namespace sdfleet::cuda {

/// Puts NCCL's process-wide choices into the environment, once, and that its calls must not block; INVALID when they were made
/// differently before.
Outcome configure_nccl(const sdfleet_nccl_environment& environment);

} // namespace sdfleet::cuda
