// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/process/child_process.hpp"
#include "agent/served_model.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace sdfleet::agent {

/// How the agent's actors are started; the same for all but slot and device.
struct ActorLauncher {
    std::filesystem::path program;
    std::string endpoint; ///< of the agent's socket for actors
    int threads = 1;
    std::string log_level;
    std::string log_format;
    std::vector<ServedModel> models;

    Command command(std::uint32_t slot, const std::string& device) const
    {
        Command command{program,
                        {"--log-level", log_level, "--log-format", log_format, "serve", "--agent", endpoint, "--slot",
                         std::to_string(slot), "--device", device, "--threads", std::to_string(threads)}};
        for (const auto& model : models) {
            command.arguments.insert(command.arguments.end(), {"--model", model.name + "=" + model.folder.string()});
        }
        return command;
    }
};

} // namespace sdfleet::agent
