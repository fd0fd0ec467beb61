// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/devices/device_choice.hpp"
#include "base/error.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace sdfleet::agent {

/// What the process of an actor on this GPU gets: it sees that one alone, as its cuda:0. Nothing for the processor.
std::vector<std::pair<std::string, std::string>> gpu_environment(const devices::Slot& slot);

/// Asks the actors' program, with `actor check`, whether it can draw on the GPU of `slot` in this `mode` (agent --mode). Blocks for as long as that takes
/// (LibTorch's GPU half takes a second or two to load), `patience` at most. ExitCode::failed with the program's own line.
/// A program of somebody else's that has no such command is believed.
base::Result<void> check_gpu_actor(const std::filesystem::path& program, const devices::Slot& slot,
                                   const std::string& mode,
                                   std::chrono::milliseconds patience = std::chrono::minutes(2));

} // namespace sdfleet::agent
