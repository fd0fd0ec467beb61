// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/cuda/outcome.hpp"

#include <cuda_runtime_api.h>

namespace sdfleet::cuda {

/// Fills in what CUDA says of `device`; NO_DRIVER, NO_DEVICE or DONE. Creates no context: costs no GPU memory.
Outcome probe_device(int device, sdfleet_nccl_facts& facts);

/// DONE, or FAILED with "CALL: what CUDA says".
Outcome cuda_outcome(cudaError_t error, const std::string& call);

} // namespace sdfleet::cuda
