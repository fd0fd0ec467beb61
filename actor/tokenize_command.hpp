// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/exit_code.hpp"

#include <functional>

#include <CLI/CLI.hpp>

namespace sdfleet::actor {

/// Adds `actor tokenize`: lines on stdin, a JSON array of token ids per line on stdout, as the pipeline would use them.
/// When it is chosen, `run` becomes its body.
void add_tokenize_command(CLI::App& app, std::function<base::ExitCode()>& run);

} // namespace sdfleet::actor
