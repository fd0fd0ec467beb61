// SPDX-License-Identifier: Apache-2.0
// Process groups: how ranks find each other, and how they learn that one of them is gone. Part of the wire as
// messages.hpp is; its rules hold here. What ranks then say to each other is in collective/.
#pragma once

#include "proto/ids.hpp"
#include "proto/job_spec.hpp"
#include "proto/message_type.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace sdfleet::proto {

/// How the others reach a member. Endpoints in the order in which they are to be tried: ipc:// ones are good only for
/// members with the same `host`.
struct GroupMember {
    Rank rank;
    std::string host;                   ///< equal for members that share a machine, its files and its network
    std::vector<std::string> endpoints; ///< "ipc://...", "tcp://10.0.0.1:40123"
    std::string public_key;             ///< CURVE, Z85

    bool operator==(const GroupMember&) const = default;
    SDFLEET_WIRE_MAP(rank, host, endpoints, public_key)
};

/// A rank wants in. Answered by GroupFormed when all are there, or by GroupRefused, or by GroupAbort.
struct GroupJoin {
    static constexpr auto type = MessageType::group_join;
    GroupId group;
    Epoch epoch;
    std::uint32_t world_size = 0;
    std::uint32_t timeout_ms = 0; ///< how long it waits for the others
    GroupMember member;

    bool operator==(const GroupJoin&) const = default;
    SDFLEET_WIRE_MAP(group, epoch, world_size, timeout_ms, member)
};

struct GroupFormed {
    static constexpr auto type = MessageType::group_formed;
    GroupId group;
    Epoch epoch;
    std::vector<GroupMember> members; ///< by rank

    bool operator==(const GroupFormed&) const = default;
    SDFLEET_WIRE_MAP(group, epoch, members)
};

enum class GroupRefusal : std::uint8_t {
    timed_out = 0, ///< the missing ranks did not join in time
    world_size = 1,
    duplicate_rank = 2,
    rank_out_of_range = 3,
    stale_epoch = 4, ///< a newer try is under way
    unknown_group = 5,
    full = 6
};
constexpr GroupRefusal last_enumerator(GroupRefusal)
{
    return GroupRefusal::full;
}

struct GroupRefused {
    static constexpr auto type = MessageType::group_refused;
    GroupId group;
    Epoch epoch;
    GroupRefusal reason = GroupRefusal::timed_out;
    std::vector<Rank> missing; ///< timed_out: who did not come
    std::string message;       ///< for people

    bool operator==(const GroupRefused&) const = default;
    SDFLEET_WIRE_MAP(group, epoch, reason, missing, message)
};

/// The epoch is over: every member stops what it waits for, and no operation of it succeeds any more.
struct GroupAbort {
    static constexpr auto type = MessageType::group_abort;
    GroupId group;
    Epoch epoch;
    std::vector<Rank> lost; ///< who died; empty when somebody gave up for another reason
    std::string message;    ///< for people

    bool operator==(const GroupAbort&) const = default;
    SDFLEET_WIRE_MAP(group, epoch, lost, message)
};

/// A member has no more use for the group. The others go on; an operation that needs it fails.
struct GroupLeave {
    static constexpr auto type = MessageType::group_leave;
    GroupId group;
    Epoch epoch;
    Rank rank;

    bool operator==(const GroupLeave&) const = default;
    SDFLEET_WIRE_MAP(group, epoch, rank)
};

/// One item of a group's run.
struct GroupItem {
    AttemptId attempt_id;
    ItemIndex index;
    Rank rank; ///< who draws it
    ItemSpec item;

    bool operator==(const GroupItem&) const = default;
    SDFLEET_WIRE_MAP(attempt_id, index, rank, item)
};

/// An actor's part in a group: join, draw the items of its rank, gather the images at rank 0. Rank 0 then answers for every
/// item; when the group is aborted, each member answers for its own, with what it has finished.
struct AssignGroup {
    static constexpr auto type = MessageType::assign_group;
    GroupId group;
    Epoch epoch;
    Rank rank;
    std::uint32_t world_size = 0;
    Slot slot;
    JobId job_id;
    std::string model;
    Parameters parameters;
    Gather gather = Gather::automatic;
    std::uint32_t timeout_ms = 0;
    std::vector<GroupItem> items; ///< of all ranks
    std::string address;          ///< where this node's rank listens for the others: set by its agent

    bool operator==(const AssignGroup&) const = default;
    SDFLEET_WIRE_MAP(group, epoch, rank, world_size, slot, job_id, model, parameters, gather, timeout_ms, items,
                     address)
};

} // namespace sdfleet::proto
