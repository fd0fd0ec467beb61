// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/exit_status.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <variant>

#include <tl/expected.hpp>

namespace sdfleet::collective {

/// What a rank runs; its result is the process's exit code.
using RankFunction = std::function<int(std::uint32_t rank)>;

/// This rank was the first to end with anything but exit code 0; the others were ended on its account.
struct RankFailed {
    std::uint32_t rank = 0;
    base::ExitStatus status;
};

/// No rank runs: the system did not let us start one, or nprocs is out of range.
struct NotStarted {};

/// SIGINT or SIGTERM came. Every rank has been ended; the signal itself is delivered when spawn returns, so that a program
/// which does not handle it sees this error never.
struct Interrupted {
    int signal = 0;
};

struct SpawnError {
    std::variant<RankFailed, NotStarted, Interrupted> cause;
    std::string message; ///< one line for people
};

struct SpawnOptions {
    std::chrono::milliseconds grace{5'000}; ///< between SIGTERM and SIGKILL for those that are ended for another's sake
};

/// Runs function(0) ... function(nprocs - 1), each in a process of its own, and waits for them; what torch.multiprocessing.spawn
/// does. The processes are this program executed anew with the same arguments, so that nothing is forked after threads
/// were started: in each of them main runs again up to this call, which then calls the function and exits with its
/// result. Do little before the call, and nothing that must happen once. The ranks' environment is torchrun's, with a
/// free port of the loopback as MASTER_PORT and a secret that other users of the machine do not know, so that
/// init_process_group() and PartialState find each other. Their stdin is /dev/null. An exception that leaves the function
/// becomes a line on stderr and exit code 1.
///
/// The first rank that fails ends all others. Ranks die with this process, however it ends. A program may call spawn
/// several times, also inside a rank: calls are told apart by their order, which must be the same in every execution. For
/// the main thread only, before or after other threads run.
tl::expected<void, SpawnError> spawn(const RankFunction& function, std::uint32_t nprocs,
                                     const SpawnOptions& options = {});

/// Whether this process is a rank of a spawn of this program: then main has to go on to that call. For programs that some
/// launcher may start as a rank (its RANK is set, too), so that they need no spawn.
bool is_spawned();

} // namespace sdfleet::collective
