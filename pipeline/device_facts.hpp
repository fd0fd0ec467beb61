// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace sdfleet::pipeline {

/// A device's memory as this process and its driver see it.
struct DeviceMemory {
    std::uint64_t free_bytes = 0;
    std::uint64_t total_bytes = 0;
    std::uint64_t peak_bytes = 0; ///< that this process's tensors took at most; on the CPU its whole resident memory
};

DeviceMemory device_memory(at::Device device);

/// Gives what the library keeps for later back to the device; nothing on the CPU, where nothing is kept.
void release_cached_memory(at::Device device);

/// Waits until the device has done all that it was given.
void wait_for(at::Device device);

} // namespace sdfleet::pipeline
