// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "client/client.hpp"
#include "sdctl/program_logs.hpp"

#include <cstdint>
#include <string>

namespace sdfleet::sdctl {

/// How the command ends for a program that ended so: 0 when all ranks did well; else as its first failing rank (128 + N for
/// signal N), 130 when the user stopped it, 1 when no rank of its own accord failed.
int exit_code_of(const proto::ProgramChanges& program, bool was_interrupted);

/// "rank 1 on node-b (cpu) was killed by SIGKILL"
std::string describe(const proto::RankReport& rank);

/// Launches a program and follows it to its end: shows what its ranks write, why it waits, who failed. The first interrupt
/// stops it on all nodes (SIGTERM, SIGKILL after its grace), the second one kills it. Returns the exit code.
base::Result<int> run_program(client::Client& client, const proto::LaunchProgram& launch, ProgramLogs& logs,
                              bool is_json);

} // namespace sdfleet::sdctl
