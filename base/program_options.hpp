// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <functional>
#include <string>

#include <CLI/CLI.hpp>

namespace sdfleet::base {

/// What every program of ours takes: --help, --version, --config FILE, --log-level LEVEL,
/// --log-format FORMAT.
/// Adds them to `app`; level and format take effect when the command line is parsed. Logs go to stderr.
void add_common_options(CLI::App& app, const std::string& program);

/// As --log-format takes it.
std::string log_format();

/// Parses argv, prints help or one error line (to stderr, with the way to the help), and otherwise calls `run`.
/// Returns the process's exit code: 0 for --help and --version, 2 for a wrong command line, else what `run` returned.
/// An exception that escapes `run` becomes one line on stderr and code 1.
int parse_and_run(CLI::App& app, int argc, const char* const* argv, const std::function<ExitCode()>& run);

/// "NAME: message" on stderr (with --log-format json: as a log line), in one line whatever the message holds; returns the error's code.
ExitCode report(const std::string& program, const Error& error);

} // namespace sdfleet::base
