// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace sdfleet::agent {

/// First argument of an agent program that is to be a keeper: AGENT keep-rank DIRECTORY COMMAND...
constexpr std::string_view keep_rank_argument = "keep-rank";

/// Exit codes of a keeper whose command cannot be run, as a shell's.
constexpr int command_not_executable = 126;
constexpr int command_not_found = 127;

/// The process between the agent and a rank. It leaves nothing behind: the rank and whatever the rank started, in whatever
/// process group or session, ends with the rank, with the agent, and when it is told to (SIGTERM is passed on to the rank's
/// process group, SIGHUP kills all). Ends as the rank ended: with its exit code, or by its signal. DIRECTORY may be empty.
int run_rank_keeper(int argc, char** argv);

} // namespace sdfleet::agent
