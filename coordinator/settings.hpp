// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/options.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace sdfleet::coordinator {

/// What the command line says.
struct Settings {
    std::filesystem::path data_dir;
    std::string listen = "tcp://127.0.0.1:7420";
    bool allows_insecure_listen = false;
    bool allows_programs = false;                       ///< clients without a key may run programs on the nodes
    std::optional<std::filesystem::path> endpoint_file; ///< gets the bound endpoint once it listens; removed at the end
    std::optional<std::string> http;                    ///< ADDRESS:PORT for monitoring (gateway/); off without one
    Options options;
    Limits limits;
};

} // namespace sdfleet::coordinator
