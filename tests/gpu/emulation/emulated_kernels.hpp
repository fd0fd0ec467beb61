// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/kernel_table.hpp"

namespace sdfleet::gpu_test {

/// The GPU's kernels, from their own sources, executed by this processor. Not thread-safe.
const kernels::KernelTable& emulated_kernels();

/// What Divider makes of it.
std::uint32_t divided(std::uint32_t number, std::uint32_t divisor);

} // namespace sdfleet::gpu_test
