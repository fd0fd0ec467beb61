// SPDX-License-Identifier: Apache-2.0
// What happens to the coordinator.
#pragma once

#include "coordinator/core/store_operation.hpp"
#include "proto/blob.hpp"
#include "proto/messages.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace sdfleet::coordinator {

/// A connection, as the shell names it: arbitrary bytes. An agent has two, and new ones after each reconnect.
struct Peer {
    std::string bytes;

    auto operator<=>(const Peer&) const = default;
};

/// Ties the answer of the store or the file thread to the effect that asked for it.
struct Ticket {
    std::uint64_t value = 0;

    auto operator<=>(const Ticket&) const = default;
};

struct PacketReceived {
    Peer peer;
    proto::ClusterId cluster; ///< as the sender's envelope says
    std::uint64_t correlation = 0;
    proto::Message message;
    std::vector<proto::Blob> blobs;
    std::uint64_t unix_ms = 0; ///< wall clock at arrival: only ever shown to people
    bool may_launch = false;   ///< the sender's key, or the operator, lets it run programs on the nodes
};

/// A send failed because nobody is connected under that name any more.
struct PeerUnreachable {
    Peer peer;
};

struct StoreCommitted {
    Ticket ticket;
};

struct StoreFailed {
    Ticket ticket;
    std::string reason;
};

struct ArtifactSaved {
    Ticket ticket;
};

struct ArtifactNotSaved {
    Ticket ticket;
    bool is_corrupt = false; ///< the bytes do not match their hash; else the disk is at fault
    std::string reason;
};

struct ArtifactLoaded {
    Ticket ticket;
    proto::Blob content;
};

struct ArtifactNotLoaded {
    Ticket ticket;
    std::string reason;
};

/// The deadline that next_deadline() named has come.
struct Tick {};

using Event = std::variant<Restored, PacketReceived, PeerUnreachable, StoreCommitted, StoreFailed, ArtifactSaved,
                           ArtifactNotSaved, ArtifactLoaded, ArtifactNotLoaded, Tick>;

} // namespace sdfleet::coordinator
