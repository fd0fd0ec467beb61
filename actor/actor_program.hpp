// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "actor/kind_registry.hpp"
#include "base/exit_code.hpp"

#include <functional>
#include <vector>

#include <CLI/CLI.hpp>

namespace sdfleet::actor {

/// Adds a sub-command that sets `run` when it is chosen.
using AddCommand = std::function<void(CLI::App& app, std::function<base::ExitCode()>& run)>;

/// The whole main() of an actor program: `serve` with the kinds of `registry`, and the other sub-commands. To be called
/// first thing, while there is one thread. Returns the exit code.
int run_actor_program(int argc, char** argv, const KindRegistry& registry,
                      const std::vector<AddCommand>& other_commands = {});

} // namespace sdfleet::actor
