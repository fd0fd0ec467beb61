// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/devices/device_choice.hpp"
#include "base/error.hpp"
#include "proto/messages.hpp"

#include <optional>
#include <string>
#include <vector>

namespace sdfleet::agent {

/// Which devices this node offers, and which actor owns which.
struct DevicePlan {
    std::vector<proto::DeviceInfo> devices; ///< the processor, and the GPUs that are used
    std::vector<devices::Slot> slots;       ///< 0, 1, ...: one actor each
    std::vector<std::string> cuda_uuids;    ///< of cuda:0, cuda:1, ..., used or not
    std::vector<std::string> notes;         ///< for people

    bool uses_gpus() const;
};

/// What there is to choose from.
struct Machine {
    proto::DeviceInfo processor;
    devices::GpuInventory gpus;
    std::optional<std::string> cuda_visible_devices; ///< the variable's value, if it is set
};

/// Asks the system; the driver only if the request concerns GPUs.
Machine look_at_machine(const devices::DeviceRequest& request);

/// Fails as devices::choose_devices does.
base::Result<DevicePlan> plan_devices(const devices::DeviceRequest& request, const Machine& machine);

} // namespace sdfleet::agent
