// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "proto/messages.hpp"

#include <string>
#include <vector>

namespace sdfleet::agent {

/// Which devices this node offers, and which actor owns which.
struct DevicePlan {
    std::vector<proto::DeviceInfo> devices;
    std::vector<std::string> actor_devices; ///< of slot 0, 1, ...; a device may appear more than once (cpu)
    std::string note;                       ///< for people; empty when there is nothing to say
};

/// What --devices says: "auto", or a list of "cpu", "cpu*N", "cuda:N" with commas between. ExitCode::usage for anything
/// else, for devices that this build cannot drive, and for more than 64 actors.
base::Result<DevicePlan> plan_devices(const std::string& text);

} // namespace sdfleet::agent
