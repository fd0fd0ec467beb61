// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sdfleet::agent::devices {

/// How many processes may have the GPU at a time.
enum class ComputeMode { shared, exclusive, prohibited };

/// A part of a GPU in MIG mode. CUDA takes it for a device of its own, but shows a process no more than one of them.
struct MigInstance {
    std::string uuid; ///< "MIG-..."
    std::string name;
    std::uint64_t memory_bytes = 0; ///< 0 = not known

    bool operator==(const MigInstance&) const = default;
};

/// A GPU as the driver's management library describes it.
struct Gpu {
    std::string uuid = {}; ///< "GPU-..."; empty when it does not answer
    std::string name = {};
    std::uint64_t memory_bytes = 0; ///< 0 = not known
    ComputeMode compute_mode = ComputeMode::shared;
    bool is_in_mig_mode = false; ///< then only its instances can be used
    std::vector<MigInstance> instances = {};
    bool has_failed_to_remap = false; ///< a broken row of its memory could not be replaced: more such errors will come
    bool waits_for_remap = false;     ///< a broken row is replaced at the next reset
    std::uint64_t uncorrected_errors = 0; ///< of its memory, since the driver was loaded
    std::string error = {};               ///< why it does not answer

    bool operator==(const Gpu&) const = default;
};

/// The GPUs of this machine in PCI order, as nvidia-smi counts them.
struct GpuInventory {
    std::vector<Gpu> gpus;
    std::string reason;      ///< why there are none
    bool has_driver = false; ///< so that one would expect some

    bool operator==(const GpuInventory&) const = default;
};

} // namespace sdfleet::agent::devices
