// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/core/event.hpp"
#include "agent/core/outbox.hpp"
#include "proto/group_messages.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace sdfleet::agent {

/// Speaks for this node's ranks with the coordinator, which lets the ranks of all nodes find each other. The ranks are told
/// apart by the correlation of what is sent for them.
class GroupDesk {
public:
    /// Whether such a rank runs here.
    using IsOurs = std::function<bool(const proto::GroupId&, proto::Epoch, proto::Rank)>;

    explicit GroupDesk(std::size_t limit) : limit_(limit) {}

    void on_rank(const FromRank& event, const IsOurs& is_ours, Outbox& out);

    /// GroupFormed, GroupRefused or GroupAbort.
    void on_coordinator(const proto::Packet& packet, Outbox& out);

    /// Joins that were not answered are said again.
    void on_welcome(Outbox& out) const;

    /// Forgets the members whose ranks do not run here any more.
    void keep_only(const IsOurs& is_ours);

private:
    struct Member {
        std::string peer;
        proto::GroupJoin join;
        bool is_answered = false;
    };
    using Members = std::map<std::uint64_t, Member>;

    Members::iterator find(const std::string& peer, const proto::GroupId& group, proto::Epoch epoch);
    void on_join(const std::string& peer, const proto::GroupJoin& join, const IsOurs& is_ours, Outbox& out);
    static void forward(std::uint64_t correlation, proto::Message message, Outbox& out);
    static void refuse(const std::string& peer, const proto::GroupJoin& join, proto::GroupRefusal reason,
                       std::string why, Outbox& out);

    std::size_t limit_;
    std::uint64_t last_correlation_ = 0;
    Members members_;
};

} // namespace sdfleet::agent
