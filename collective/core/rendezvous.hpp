// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/group_messages.hpp"

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace sdfleet::collective {

/// A member's connection, as the shell names it: arbitrary bytes.
struct Caller {
    std::string bytes;

    auto operator<=>(const Caller&) const = default;
};

struct RendezvousLimits {
    std::size_t groups = 10'000; ///< in the making or formed
    std::uint32_t world_size =
        1'024;                 ///< everybody is told of everybody: what forming a group takes grows with its square
    std::size_t endpoints = 8; ///< of a member
    std::chrono::milliseconds longest_wait{3'600'000};
    std::chrono::milliseconds memory{600'000}; ///< an epoch that ended is refused for so long
};

/// Where ranks find each other: collects the joins of a group's epoch until all are there and tells each the members,
/// or after its deadline who is missing; passes on that an epoch is over. Pure: the caller brings events and the time, and
/// sends what comes back. Used by the coordinator for all groups and by a rank 0 for its own. Whether a caller may speak
/// for a rank is the caller's decision to check.
class Rendezvous {
public:
    using Time = std::chrono::milliseconds; ///< since any fixed moment; never goes back
    using Answer = std::variant<proto::GroupFormed, proto::GroupRefused, proto::GroupAbort>;
    struct Send {
        Caller to;
        Answer answer;
    };
    using Sends = std::vector<Send>;

    explicit Rendezvous(RendezvousLimits limits = {});

    /// A member that repeats its join, perhaps over a new connection, gets its answer again. A higher epoch ends the one
    /// before (GroupAbort to its members). The first of the members' deadlines is the epoch's.
    Sends join(const Caller& caller, const proto::GroupJoin& join, Time now);

    /// The epoch is over: to all its members but `from`, which counts only as a member itself. Later joins of the same
    /// epoch are refused.
    Sends abort(const std::optional<Caller>& from, const proto::GroupAbort& abort, Time now);

    /// The caller's member is done with the group. The group is forgotten with its last member; but an epoch that was ended
    /// otherwise is remembered, so that who comes late is refused.
    void leave(const Caller& caller, const proto::GroupLeave& leave, Time now);

    /// The caller's connection, or process, is gone: its groups are aborted with its rank among the lost.
    Sends lost(const Caller& caller, const std::string& why, Time now);

    Sends tick(Time now);
    std::optional<Time> next_deadline() const;

private:
    struct Member {
        Caller caller;
        proto::GroupMember member;
        bool has_left = false;
    };
    struct Forming {
        Time deadline;
    };
    struct Formed {};
    struct Ended {
        Time forget_at;
        std::string why;
    };
    /// A group's newest epoch.
    struct Group {
        proto::Epoch epoch;
        std::uint32_t world_size = 0;
        std::map<proto::Rank, Member> members; ///< who joined
        std::variant<Forming, Formed, Ended> state;
    };
    using Groups = std::map<proto::GroupId, Group>;

    std::optional<proto::GroupRefused> find_fault(const proto::GroupJoin& join) const;
    Sends add_member(Groups::iterator group, const Caller& caller, const proto::GroupJoin& join, Time now);
    Sends answer_again(Groups::iterator group, const Caller& caller, const proto::GroupJoin& join);
    Sends end(Groups::iterator group, const std::optional<Caller>& but, std::vector<proto::Rank> lost,
              const std::string& why, Time now);
    Sends time_out(Groups::iterator group, Time now);
    void set_state(Groups::iterator group, std::variant<Forming, Formed, Ended> state);
    void forget(Groups::iterator group);

    RendezvousLimits limits_;
    Groups groups_;
    std::set<std::pair<Time, proto::GroupId>> deadlines_; ///< of groups that form, and of memories
};

} // namespace sdfleet::collective
