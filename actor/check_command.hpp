// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/exit_code.hpp"

#include <functional>

#include <CLI/CLI.hpp>

namespace sdfleet::actor {

/// Adds `actor check`: whether this program can draw on a device here, before an agent starts actors for it. Loads what
/// drawing needs of LibTorch and of our own kernels, but no model. Exit code 0, or 1 with the reason in a line.
void add_check_command(CLI::App& app, std::function<base::ExitCode()>& run);

} // namespace sdfleet::actor
