// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "kernels/kernel_table.hpp"
#include "pipeline/recorded_work.hpp"

namespace sdfleet::pipeline {

/// The kernels of libsdfleet_cuda.so, which lies beside the program or where the loader looks. Loaded once and never
/// closed. ExitCode::failed with the reason where there is none, or one of other sources.
base::Result<const kernels::KernelTable*> gpu_kernels();

/// CUDA graphs, by libsdfleet_torch_cuda.so. Only after cuda_device_count() (torch_cuda.hpp) has found a GPU. Errors as
/// gpu_kernels().
base::Result<Recorder> gpu_recorder();

} // namespace sdfleet::pipeline
