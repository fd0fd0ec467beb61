// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/wire_map.hpp"
#include "proto/wire_value.hpp"

#include <compare>
#include <cstdint>
#include <string>

namespace sdfleet::proto {

/// Made by the client, so that a submit may be sent again without making a second job. At most 64 of [A-Za-z0-9._-].
using JobId = StrongString<struct JobIdTag>;

/// The operator's name of a machine. At most 64 of [A-Za-z0-9._-].
using NodeId = StrongString<struct NodeIdTag>;

/// Made once per data directory; keeps the fleets of two coordinators apart.
using ClusterId = StrongString<struct ClusterIdTag>;

/// Grows with each start of an agent: of two agents with one NodeId the higher incarnation is the live one.
using Incarnation = StrongNumber<struct IncarnationTag, std::uint64_t>;

/// Names one try at one item. Never reused, also not by a restarted coordinator (its epoch is in the upper half).
using AttemptId = StrongNumber<struct AttemptIdTag, std::uint64_t>;

/// Which of a node's actors, counted from 0; survives the actor process's restarts.
using Slot = StrongNumber<struct SlotTag, std::uint32_t>;

/// Made by the client, as a job's. At most 64 of [A-Za-z0-9._-].
using ProgramId = StrongString<struct ProgramIdTag>;

/// Names a process group: a program's groups are PROGRAM/NAME, a group job's is its job id. At most 192 characters.
using GroupId = StrongString<struct GroupIdTag>;

/// Grows with each try at a group or a program. What belongs to an older one is refused.
using Epoch = StrongNumber<struct EpochTag, std::uint64_t>;

/// Place in a group, counted from 0.
using Rank = StrongNumber<struct RankTag, std::uint32_t>;

/// Place of an item in its job, counted from 0.
using ItemIndex = StrongNumber<struct ItemIndexTag, std::uint32_t>;

struct ItemId {
    JobId job_id;
    ItemIndex index;

    auto operator<=>(const ItemId&) const = default;
};

struct ActorId {
    NodeId node_id;
    Slot slot;

    auto operator<=>(const ActorId&) const = default;
};

/// "node-a/0", for people.
inline std::string to_string(const ActorId& id)
{
    return id.node_id.value + "/" + std::to_string(id.slot.value);
}

inline std::string to_string(const ItemId& id)
{
    return id.job_id.value + "/" + std::to_string(id.index.value);
}

/// What JobId, NodeId and model names may be: 1 to 64 of [A-Za-z0-9._-], not beginning with a dot. Safe as a file name.
bool is_valid_name(const std::string& name);

} // namespace sdfleet::proto
