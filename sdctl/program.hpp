// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "client/client.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace sdfleet::sdctl {

constexpr const char* default_coordinator = "tcp://127.0.0.1:7420";

/// What the command line says for every command.
struct Program {
    std::string coordinator = default_coordinator;
    std::filesystem::path key_file;         ///< empty: a coordinator that wants no key
    bool json = false;                      ///< one JSON document on stdout in place of text
    std::vector<std::string> command = {};  ///< what follows "--" after "launch": not for us to understand
    std::function<base::ExitCode()> chosen; ///< the command that the command line names
};

/// What a command is called, and what its help says.
struct CommandText {
    const char* name;
    const char* description;
    const char* examples; ///< lines of shell, each a complete call
};

/// Makes a command that runs `body` and reports its error, if any. Both references must outlive the parse.
CLI::App* add_command(CLI::App& app, Program& program, const CommandText& text,
                      std::function<base::Result<base::ExitCode>()> body);

/// Dials the coordinator that the command line names. Calls end when the user interrupts.
base::Result<client::Client> connect(const Program& program);

} // namespace sdfleet::sdctl
