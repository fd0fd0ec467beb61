// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/kernel_table.hpp"

namespace sdfleet::kernels {

/// The reference: plain loops, fp32 arithmetic, results rounded to the type once at the end. Lives as long as the program.
const KernelTable& cpu_kernels();

} // namespace sdfleet::kernels
