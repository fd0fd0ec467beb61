// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace sdfleet::collective {

/// What decides which device a rank gets.
struct DeviceFacts {
    bool has_plug_in = false;                   ///< the program can drive GPUs
    std::uint32_t device_files = 0;             ///< GPUs that the machine shows to this process
    std::optional<std::string> visible_devices; ///< CUDA_VISIBLE_DEVICES
    std::string use_cpu;                        ///< ACCELERATE_USE_CPU
};

/// "cuda:N", as CUDA counts within the process, or "cpu". With more ranks than GPUs the ranks share them in turn.
std::string rank_device(const DeviceFacts& facts, std::uint32_t local_rank);

} // namespace sdfleet::collective
