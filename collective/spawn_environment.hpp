// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sdfleet::collective {

/// What the ranks of one spawn are to know, beside who they are: where and by which secret they meet.
struct SpawnMeeting {
    std::uint16_t master_port = 0;
    std::string secret;
};

/// A port of the loopback that is free now, and a secret nobody else knows. Port 0 when the system has none.
SpawnMeeting choose_meeting();

/// Where a rank is told its SpawnPath.
constexpr const char* spawn_path_variable = "SDFLEET_SPAWN";

/// Our environment, as "NAME=value", with torchrun's variables for rank `rank` of `nprocs` on this machine, and without those
/// of the program that we ourselves may be a rank of.
std::vector<std::string> environment_of_rank(std::uint32_t rank, std::uint32_t nprocs, const SpawnMeeting& meeting,
                                             const std::string& spawn_path);

} // namespace sdfleet::collective
