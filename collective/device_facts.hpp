// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/core/rank_device.hpp"

namespace sdfleet::collective {

/// What this machine and this process's environment say. The GPU plug-in is looked for beside the program and one folder
/// above.
DeviceFacts read_device_facts();

} // namespace sdfleet::collective
