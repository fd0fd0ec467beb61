// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/actor_check.hpp"
#include "agent/devices/device_choice.hpp"
#include "agent/process/child_process.hpp"
#include "agent/served_model.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace sdfleet::agent {

/// How the agent's actors are started; the same for all but their devices.
struct ActorLauncher {
    std::filesystem::path program;
    std::string endpoint; ///< of the agent's socket for actors
    int threads = 1;
    std::vector<std::string> drawing; ///< how to draw: further arguments, where it is not an actor's default
    std::string log_level;
    std::string log_format;
    std::vector<ServedModel> models;
    std::vector<devices::Slot> slots;

    /// An actor on a GPU sees that one alone, as its cuda:0.
    Command command(std::uint32_t slot) const
    {
        const std::string device = slots.at(slot).uuid.empty() ? slots.at(slot).device : "cuda:0";
        Command command{program,
                        {"--log-level", log_level, "--log-format", log_format, "serve", "--agent", endpoint, "--slot",
                         std::to_string(slot), "--device", device, "--threads", std::to_string(threads)}};
        command.arguments.insert(command.arguments.end(), drawing.begin(), drawing.end());
        for (const auto& model : models) {
            command.arguments.insert(command.arguments.end(), {"--model", model.name + "=" + model.folder.string()});
        }
        command.environment = gpu_environment(slots.at(slot));
        return command;
    }
};

} // namespace sdfleet::agent
