// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace sdfleet::base {

/// The exit codes of every program, part of their interface.
enum class ExitCode : int {
    ok = 0,
    failed = 1,
    usage = 2,        ///< wrong flag, wrong value, unusable prompts file
    unreachable = 3,  ///< no coordinator answered in time
    job_failed = 4,   ///< the job ended failed or cancelled
    bad_input = 5,    ///< a model folder or an input file is missing, damaged or not understood
    interrupted = 130 ///< SIGINT or SIGTERM ended a command before its work was done
};

constexpr int to_int(ExitCode code)
{
    return static_cast<int>(code);
}

} // namespace sdfleet::base
