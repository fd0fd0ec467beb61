// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/core/launch.hpp"
#include "base/log_subject.hpp"
#include "proto/packet.hpp"

#include <string>
#include <variant>
#include <vector>

namespace sdfleet::agent {

/// To be answered with ActorSpawned, and later, or instead, with ActorExited.
struct SpawnActor {
    Launch launch;
    std::string device;
};

/// SIGKILL.
struct KillActor {
    Launch launch;
};

/// A message that cannot be sent now is dropped: what matters is sent again.
struct SendToCoordinator {
    proto::Channel channel = proto::Channel::control;
    proto::Packet packet;
};

/// Both connections to the coordinator, anew: ZeroMQ dials again after a lost connection, but never after a refused
/// handshake, and a key that is unknown now may be known in a minute.
struct Redial {};

struct SendToActor {
    Launch launch;
    proto::Packet packet;
};

using base::LogLevel;

struct Log {
    LogLevel level = LogLevel::info;
    std::string text;
    base::LogSubject subject;
};

/// The agent's last effect: every actor is gone.
struct Exit {
    int code = 0;
    std::string reason; ///< empty for a wanted end
};

using Effect = std::variant<SpawnActor, KillActor, SendToCoordinator, Redial, SendToActor, Log, Exit>;

/// To be carried out in order.
using Effects = std::vector<Effect>;

} // namespace sdfleet::agent
