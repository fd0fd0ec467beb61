// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "kernels/kernel_table.hpp"

namespace sdfleet::pipeline {

/// The kernels of libsdfleet_cuda.so, which lies beside the program or where the loader looks. Loaded once and never
/// closed. ExitCode::failed with the reason where there is none, or one of other sources.
base::Result<const kernels::KernelTable*> gpu_kernels();

} // namespace sdfleet::pipeline
