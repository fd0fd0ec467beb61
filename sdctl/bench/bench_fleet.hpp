// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sdctl/local_fleet.hpp"
#include "sdctl/program.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

namespace sdfleet::sdctl::bench {

/// The fleet that is measured: one of our own for the time being, or the one that the command line names.
class BenchFleet {
public:
    /// With `local_actors` > 0 starts a fleet and waits until all its actors are ready; `actor_program` may be empty.
    /// Without, fails when the coordinator knows no ready actor.
    static base::Result<BenchFleet> open(const Program& program, int local_actors,
                                         const std::filesystem::path& actor_program);

    /// Each thread takes one of its own.
    base::Result<client::Client> connect() const { return client::Client::connect(options_); }

    const client::ClientOptions& client_options() const { return options_; }
    std::uint32_t ready_actors() const { return ready_actors_; }

private:
    std::optional<LocalFleet> local_;
    client::ClientOptions options_;
    std::uint32_t ready_actors_ = 0;
};

} // namespace sdfleet::sdctl::bench
