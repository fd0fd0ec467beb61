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

/// The process of a rank exists.
struct RankSpawned {
    proto::ProgramRun run;
    proto::Rank rank;
    std::uint64_t pid = 0;
};

/// The rank, and all that it started, is gone and reaped; or it could not be started.
struct RankEnded {
    proto::ProgramRun run;
    proto::Rank rank;
    proto::RankExit exit;
};

/// Answers ReadOutput. No bytes: the stream has ended.
struct RankWrote {
    proto::ProgramRun run;
    proto::Rank rank;
    proto::OutputStream stream = proto::OutputStream::out;
    std::string bytes;
};

/// Answers ChoosePort. 0 = there is no free one.
struct PortChosen {
    proto::ProgramRun run;
    std::uint16_t port = 0;
};

/// From a process on this machine that is not an actor's first connection: a member of a process group.
struct FromRank {
    std::string peer; ///< its connection
    proto::Packet packet;
};

/// A deadline passed.
struct Tick {};

/// SIGTERM or SIGINT. The second one makes it quick.
struct StopRequested {
    std::string reason;
};

using Event = std::variant<FromCoordinator, LinkWritable, FromActor, ActorSpawned, ActorExited, RankSpawned, RankEnded,
                           RankWrote, PortChosen, FromRank, Tick, StopRequested>;

} // namespace sdfleet::agent
