// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/exit_code.hpp"

namespace sdfleet::actor {

/// Beside those that every program has: the device is of no use to this process any more. The agent starts the next one.
constexpr auto device_lost = static_cast<base::ExitCode>(6);

} // namespace sdfleet::actor
