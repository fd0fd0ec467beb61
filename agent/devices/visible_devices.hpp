// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/devices/gpu.hpp"
#include "agent/devices/gpu_health.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sdfleet::agent::devices {

/// What one process can have for itself: a GPU, or a MIG instance.
struct ComputeDevice {
    std::string uuid; ///< a name for CUDA_VISIBLE_DEVICES
    std::string name;
    std::uint64_t memory_bytes = 0; ///< 0 = not known
    bool is_exclusive = false;      ///< for one process at a time
    Diagnosis diagnosis;
};

/// Our cuda:0, cuda:1, ...: the devices that `names`, the value of CUDA_VISIBLE_DEVICES, lets us have, in its order; all of
/// them, in PCI order, where it is not set. As CUDA reads it: numbers and UUIDs, which may be cut short as long as they are
/// unambiguous; the first that is neither ends the list. A GPU in MIG mode stands for all its instances.
std::vector<ComputeDevice> visible_devices(const std::vector<Gpu>& gpus, std::optional<std::string_view> names);

} // namespace sdfleet::agent::devices
