// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace sdfleet::agent {

/// The processes whose parent is `parent`, zombies included.
std::vector<pid_t> children_of(pid_t parent);

/// Our user's processes that were started with all these variables ("NAME=value") in their environment.
std::vector<pid_t> processes_with(const std::vector<std::string>& variables);

} // namespace sdfleet::agent
