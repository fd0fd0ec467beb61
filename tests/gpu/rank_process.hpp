// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.hpp"

#include <chrono>
#include <string>
#include <vector>

#include <sys/types.h>

namespace sdfleet::gpu_test {

/// A child that runs this program again; what it prints on stdout is kept. Killed when this goes.
class RankProcess {
public:
    /// `control` becomes its file descriptor 3, if there is one. `environment`: "NAME=VALUE", beside this process's own.
    RankProcess(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
                const base::UniqueFd& control);
    RankProcess(const RankProcess&) = delete;
    RankProcess& operator=(const RankProcess&) = delete;
    ~RankProcess();

    /// Until it closed its stdout or the deadline has come; then it is killed.
    std::string read_output(std::chrono::steady_clock::time_point deadline);

private:
    pid_t pid_ = -1;
    base::UniqueFd output_;
};

constexpr int control_fd_of_child = 3;

} // namespace sdfleet::gpu_test
