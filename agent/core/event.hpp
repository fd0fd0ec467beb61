// SPDX-License-Identifier: Apache-2.0
// What happens to an agent, and what it does about it: the two sides of the core.
#pragma once

#include "agent/core/launch.hpp"
#include "proto/packet.hpp"

#include <optional>
#include <string>
#include <variant>

namespace sdfleet::agent {

struct FromCoordinator {
    proto::Channel channel = proto::Channel::control;
    proto::Packet packet;
};

/// The connection is up, or up again.
struct LinkWritable {
    proto::Channel channel = proto::Channel::control;
};

struct FromActor {
    Launch launch;
    proto::Packet packet;
};

struct ActorSpawned {
    Launch launch;
    std::uint64_t pid = 0;
};

/// The process is gone and reaped, or could not be started.
struct ActorExited {
    Launch launch;
    std::optional<int> exit_code; ///< nothing when a signal killed it
    std::string description;      ///< "was killed by SIGKILL"
};

/// A deadline passed.
struct Tick {};

/// SIGTERM or SIGINT. The second one makes it quick.
struct StopRequested {
    std::string reason;
};

using Event = std::variant<FromCoordinator, LinkWritable, FromActor, ActorSpawned, ActorExited, Tick, StopRequested>;

} // namespace sdfleet::agent
