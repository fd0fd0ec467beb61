// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "actor/kind_registry.hpp"
#include "base/exit_code.hpp"

#include <functional>

#include <CLI/CLI.hpp>

namespace sdfleet::actor {

/// Adds `actor serve`, which an agent runs: work for that agent, of the kinds in `registry`. When it is chosen, `run`
/// becomes its body.
void add_serve_command(CLI::App& app, const KindRegistry& registry, std::function<base::ExitCode()>& run);

} // namespace sdfleet::actor
