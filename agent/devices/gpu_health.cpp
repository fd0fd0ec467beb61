// SPDX-License-Identifier: Apache-2.0
#include "agent/devices/gpu_health.hpp"

namespace sdfleet::agent::devices {

Diagnosis diagnose(const Gpu& gpu)
{
    if (!gpu.error.empty() || gpu.uuid.empty()) {
        return {Health::useless, "does not answer: " + (gpu.error.empty() ? "it has no UUID" : gpu.error)};
    }
    if (gpu.compute_mode == ComputeMode::prohibited) {
        return {Health::useless, "lets no process compute (nvidia-smi -c DEFAULT changes that)"};
    }
    if (gpu.has_failed_to_remap) {
        return {Health::suspect, "has a broken row of memory that it could not replace: it should be exchanged"};
    }
    if (gpu.waits_for_remap) {
        return {Health::good, "replaces a broken row of memory at its next reset: reset it when it is idle"};
    }
    if (gpu.uncorrected_errors > 0) {
        return {Health::good, "has had " + std::to_string(gpu.uncorrected_errors) +
                                  " uncorrectable memory error(s) since its driver was loaded"};
    }
    return {};
}

} // namespace sdfleet::agent::devices
