// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/exit_status.hpp"
#include "base/unique_fd.hpp"

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>
#include <tl/expected.hpp>

namespace sdfleet::collective {

/// This program, executed anew with its own arguments in another environment: one rank of a spawn. When the object goes,
/// so does the process. It leads a process group of its own, so that a Ctrl-C on the terminal reaches the parent alone,
/// reads /dev/null, and writes where we write. Not thread-safe.
class RankProcess {
public:
    /// `environment`: all of it, as "NAME=value". Fails with the system's words.
    static tl::expected<RankProcess, std::string> start(std::vector<std::string> environment);

    RankProcess(RankProcess&&) noexcept = default;
    RankProcess& operator=(RankProcess&&) = delete;
    /// Kills (SIGKILL) and reaps a process that still runs.
    ~RankProcess();

    /// Readable when the process has ended.
    int descriptor() const { return pidfd_.get(); }
    const std::optional<base::ExitStatus>& status() const { return status_; } ///< set by reap()

    /// Does nothing to a process that was reaped.
    void signal(int number);
    /// Blocks until the process has ended.
    base::ExitStatus reap();

private:
    explicit RankProcess(base::UniqueFd pidfd) : pidfd_(std::move(pidfd)) {}

    base::UniqueFd pidfd_; ///< empty in an object that was moved from
    std::optional<base::ExitStatus> status_;
};

} // namespace sdfleet::collective
