// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/devices/gpu.hpp"

#include <string>

namespace sdfleet::agent::devices {

/// What NVIDIA's management library, which comes with the driver, knows of this machine's GPUs. Opens it, asks, and closes
/// it again; takes up to a second or two where the driver has to wake up. Touches no GPU's memory, makes no CUDA context.
/// Never fails: without library, driver or GPUs the inventory is empty and says why; a GPU that does not answer is in it
/// with its error, so that the others keep their numbers.
GpuInventory read_gpus(const std::string& library = "libnvidia-ml.so.1");

} // namespace sdfleet::agent::devices
