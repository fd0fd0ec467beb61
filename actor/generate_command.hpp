// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/exit_code.hpp"

#include <functional>

#include <CLI/CLI.hpp>

namespace sdfleet::actor {

/// Adds `actor generate`, which draws pictures with no daemon running. When it is chosen, `run` becomes its body.
void add_generate_command(CLI::App& app, std::function<base::ExitCode()>& run);

} // namespace sdfleet::actor
