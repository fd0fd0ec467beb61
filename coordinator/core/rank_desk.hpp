// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/core/rendezvous.hpp"
#include "coordinator/core/effects.hpp"
#include "coordinator/core/fleet.hpp"
#include "proto/group_messages.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace sdfleet::coordinator {

/// Where the ranks of all nodes find each other: the rendezvous of their groups, and who speaks for which rank. A rank's
/// messages come through its node's agent, which tells its ranks apart by the correlation.
class RankDesk {
public:
    /// A rank's voice.
    struct Caller {
        proto::NodeId node;
        proto::Incarnation incarnation;
        std::uint64_t correlation = 0;

        auto operator<=>(const Caller&) const = default;
    };

    explicit RankDesk(std::size_t callers = 100'000) : limit_(callers) {}

    void join(const Caller& caller, const proto::GroupJoin& join, Milliseconds now);
    void abort(const std::optional<Caller>& from, const proto::GroupAbort& abort, Milliseconds now);
    void leave(const Caller& caller, const proto::GroupLeave& leave, Milliseconds now);

    /// The members for which this holds are gone: their groups are aborted.
    using Predicate = std::function<bool(const Caller&, const proto::GroupId&, proto::Epoch, proto::Rank)>;
    void lost_where(const Predicate& is_lost, const std::string& why, Milliseconds now);

    void tick(Milliseconds now);
    std::optional<Milliseconds> next_deadline() const;

    /// What is to be sent, to nodes that are here.
    Effects take_effects(const Fleet& fleet);

private:
    struct Membership {
        Caller caller;
        proto::GroupId group;
        proto::Epoch epoch;
        proto::Rank rank;
    };

    void add(collective::Rendezvous::Sends sends);
    static collective::Caller name_of(const Caller& caller);

    std::size_t limit_;
    collective::Rendezvous rendezvous_;
    std::map<collective::Caller, Membership> members_;
    collective::Rendezvous::Sends sends_;
};

} // namespace sdfleet::coordinator
