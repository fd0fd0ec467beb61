// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/exit_code.hpp"

#include <functional>

#include <CLI/CLI.hpp>

namespace sdfleet::actor {

/// `actor bench`: how fast one process draws on one device, part by part.
void add_bench_command(CLI::App& app, std::function<base::ExitCode()>& run);

} // namespace sdfleet::actor
