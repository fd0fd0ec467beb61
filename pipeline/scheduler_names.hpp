// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace sdfleet::pipeline {

/// The names that --scheduler takes.
std::vector<std::string> scheduler_names();

/// "ddim, pndm, ...", for messages.
std::string listed_scheduler_names();

/// ExitCode::usage, listing the known names, unless `name` is one of them or empty.
base::Result<void> check_scheduler_name(std::string_view name);

} // namespace sdfleet::pipeline
