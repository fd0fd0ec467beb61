// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/devices/device_request.hpp"
#include "agent/devices/visible_devices.hpp"
#include "base/error.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sdfleet::agent::devices {

/// One actor's place.
struct Slot {
    std::string device; ///< "cpu" or "cuda:N"; several slots may share one
    std::string uuid;   ///< of the GPU or MIG instance; empty for the processor

    bool operator==(const Slot&) const = default;
};

struct DeviceChoice {
    std::vector<Slot> slots;            ///< at least one
    std::vector<ComputeDevice> visible; ///< cuda:0, cuda:1, ..., used or not
    std::vector<std::string> notes;     ///< for the log
};

/// Which actors this node has. `names` is the value of CUDA_VISIBLE_DEVICES, if it is set.
/// With "auto": one actor on each GPU that is well, or else one on the processor. "cuda": those that are well, at least one;
/// a GPU that is named is taken even if it is not, as long as it can be used. ExitCode::failed where there is no such GPU,
/// or it is of no use; ExitCode::usage for more than max_actors.
base::Result<DeviceChoice> choose_devices(const DeviceRequest& request, const GpuInventory& found,
                                          std::optional<std::string_view> names);

} // namespace sdfleet::agent::devices
