// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "base/exit_status.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <sys/types.h>

namespace sdfleet::agent {

using base::describe;
using base::ExitedWith;
using base::ExitStatus;
using base::KilledBy;

struct Command {
    std::filesystem::path program; ///< a path; not searched for in PATH
    std::vector<std::string> arguments = {};
    std::vector<std::pair<std::string, std::string>> environment = {}; ///< added to, or in place of, our own
    std::filesystem::path output = {}; ///< file, emptied first, that gets its stdout and stderr; empty = our stderr
    int stdout_fd = -1; ///< descriptors of ours that become its stdout and stderr, both or none; they stay open here
    int stderr_fd = -1;
};

/// One child process and the duty to end and reap it: when the object goes, so does the process. The child leads a
/// process group of its own (a Ctrl-C on the terminal reaches only the parent, which decides), reads /dev/null, writes
/// to our stderr alone (its stdout too: ours is for results) or to a file, and inherits no other
/// descriptor. A child that calls die_with_parent() is killed by the kernel should this process die; the kernel means the
/// *thread* that spawned it, so spawn from one that lives as long as the process. Not thread-safe.
class ChildProcess {
public:
    using ExitHandler = std::function<void(ExitStatus)>;

    /// Fails with ExitCode::failed when the program cannot be run (the message names it and the reason).
    static base::Result<ChildProcess> spawn(boost::asio::io_context& io, const Command& command);

    ChildProcess(ChildProcess&&) noexcept;
    ChildProcess& operator=(ChildProcess&&) noexcept;
    /// Kills (SIGKILL) and reaps a process that still runs.
    ~ChildProcess();

    pid_t pid() const;

    /// Calls `handler` once from the io_context as soon as the process ended; it is reaped by then. Not called any more
    /// after this object, or the process by terminate(), has gone.
    void on_exit(ExitHandler handler);

    /// Sends the signal to the process, if it still runs: never to a later one with the same number.
    void signal(int number);

    /// Blocks: asks (SIGTERM), waits up to `patience`, kills (SIGKILL), reaps. At once when it has ended already.
    ExitStatus terminate(std::chrono::milliseconds patience);

private:
    struct Impl;
    explicit ChildProcess(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

} // namespace sdfleet::agent
