// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/core/launch.hpp"
#include "base/log_subject.hpp"
#include "proto/packet.hpp"

#include <string>
#include <utility>
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

/// A rank of a program, under a keeper that ends all that the rank started. Answered with RankSpawned, and later, or
/// instead, with RankEnded.
struct SpawnRank {
    proto::ProgramRun run;
    proto::Rank rank;
    std::vector<std::string> command;
    std::string working_dir; ///< empty = our own
    std::vector<std::pair<std::string, std::string>> environment;
};

enum class Ending {
    ask,     ///< SIGTERM to the rank
    kill,    ///< SIGKILL to it and to all that it started
    clean_up ///< the keeper itself does not answer any more
};
struct EndRank {
    proto::ProgramRun run;
    proto::Rank rank;
    Ending ending = Ending::ask;
};

/// Some bytes of what the rank wrote, as soon as there are any. At most one at a time for a stream.
struct ReadOutput {
    proto::ProgramRun run;
    proto::Rank rank;
    proto::OutputStream stream = proto::OutputStream::out;
};

/// A TCP port of this machine that nobody listens on.
struct ChoosePort {
    proto::ProgramRun run;
};

struct SendToRank {
    std::string peer;
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

using Effect = std::variant<SpawnActor, KillActor, SendToCoordinator, Redial, SendToActor, SpawnRank, EndRank,
                            ReadOutput, ChoosePort, SendToRank, Log, Exit>;

/// To be carried out in order.
using Effects = std::vector<Effect>;

} // namespace sdfleet::agent
