// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "client/client.hpp"
#include "sdctl/local_model.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace sdfleet::sdctl {

struct LocalFleetOptions {
    int actors = 1;
    std::optional<LocalModel> model; ///< none: the fleet can only echo
    bool shows_logs = false;         ///< the daemons log to our stderr, in detail, instead of silently into the folder
    std::filesystem::path actor_program{}; ///< empty: the agent's own choice
    bool is_for_programs = false;          ///< no actors: `actors` devices for the ranks of a program
    std::string devices{};                 ///< as agent --devices; empty: `actors` times the processor
    std::uint32_t max_batch = 1;           ///< as agent --max-batch
};

/// A coordinator and an agent with its actors, all on this machine, for one command. They listen on private sockets in a
/// temporary folder; when the object goes, so do they and the folder. Should this process be killed, the kernel kills
/// them. Start it from a thread that lives as long as the process.
class LocalFleet {
public:
    static base::Result<LocalFleet> start(const LocalFleetOptions& options);

    LocalFleet(LocalFleet&&) noexcept;
    LocalFleet& operator=(LocalFleet&&) noexcept;
    ~LocalFleet();

    /// Where the fleet's coordinator listens.
    const std::string& endpoint() const;

    /// A connection to the fleet's coordinator. Fails as soon as a daemon ends.
    base::Result<client::Client> connect();

    /// Waits until the coordinator knows the agent, and with it the model.
    base::Result<void> wait_until_joined(client::Client& client);

    /// Waits until `actors_wanted` actors can take work. Fails when a daemon ends, when every actor failed, and after
    /// some minutes.
    base::Result<void> wait_until_ready(client::Client& client, int actors_wanted);

    /// Fails when a daemon ended, or, asked of the coordinator now and then, when every actor failed for good.
    base::Result<void> check(client::Client& client);

private:
    struct Impl;
    base::Result<void> wait_until(client::Client& client, const std::function<bool(const proto::NodeList&)>& condition);
    explicit LocalFleet(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// The folder that holds this program.
std::filesystem::path program_folder();

} // namespace sdfleet::sdctl
