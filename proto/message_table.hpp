// SPDX-License-Identifier: Apache-2.0
// The same table as in PROTOCOL.md, for the code: who may send what to whom.
#pragma once

#include "proto/messages.hpp"

#include <string_view>

namespace sdfleet::proto {

/// A rank is a process that joins a group: one of a program's, or an actor's second connection. Whoever forms groups
/// without a coordinator (rank 0) acts as its agent.
enum class Role : std::uint8_t { coordinator, agent, actor, client, rank };

struct MessageInfo {
    MessageType type;
    std::string_view name;
    std::string_view directions; ///< "agent → coordinator, actor → agent"
};

/// Of every message type there is; the table is in the order of the numbers.
const MessageInfo& info_of(MessageType type);

/// Whether the protocol lets `sender` send this to `receiver`. Receivers drop and count what it does not.
bool may_send(Role sender, Role receiver, MessageType type);

} // namespace sdfleet::proto
