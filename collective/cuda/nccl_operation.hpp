// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/cuda/nccl_library.hpp"
#include "collective/cuda/outcome.hpp"

namespace sdfleet::cuda {

/// Where an operation runs.
struct NcclPlace {
    const NcclLibrary& nccl;
    ncclComm_t communicator;
    cudaStream_t stream;
    std::uint32_t rank;
    std::uint32_t world_size;
    void* barrier_memory; ///< one int32 on the device
};

/// INVALID where the operation cannot be passed to NCCL on this rank.
Outcome check_operation(const NcclPlace& place, const sdfleet_nccl_operation& operation);

/// Passes the operation, which is valid, to NCCL; its result, ncclInProgress among them, is NCCL's.
ncclResult_t enqueue_operation(const NcclPlace& place, const sdfleet_nccl_operation& operation);

} // namespace sdfleet::cuda
