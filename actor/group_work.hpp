// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "actor/actor_kind.hpp"
#include "actor/draft_codec.hpp"
#include "collective/process_group.hpp"

#include <functional>
#include <map>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

namespace sdfleet::actor {

/// One actor's part in a group: joins the others, draws its rank's items, gathers all drafts at rank 0, which finishes and
/// answers for them. Should the group end early, each member answers for its own: with what it has drawn, and for the rest
/// that it was given up. Blocks; for the compute thread.
class GroupWork {
public:
    struct Hooks {
        std::function<WorkContext(proto::AttemptId)> context_of;
        std::function<void(proto::Packet)> tell; ///< ItemDone or ItemFailed, for the agent
        std::stop_token cancelled;               ///< the group was aborted
    };

    /// `agent` is the endpoint at which the members find each other; without a kind every item fails.
    GroupWork(const proto::AssignGroup& order, std::string agent, ActorKind* kind, Hooks hooks)
        : order_(order), agent_(std::move(agent)), kind_(kind), hooks_(std::move(hooks))
    {
    }

    void run();

private:
    /// Why the group ended early; nothing when it did not.
    using Ended = std::optional<std::string>;

    Ended work();
    Ended draw_own(collective::ProcessGroup& group);
    Ended gather(collective::ProcessGroup& group);
    bool draw(const proto::GroupItem& item);
    bool take(std::uint32_t rank, const collective::Bytes& head, collective::Bytes content);
    void finish(const DrawnItem& item);
    void give_up_rest(const std::string& why);
    proto::Assign assign_of(const proto::GroupItem& item) const;
    std::vector<const proto::GroupItem*> items_of(std::uint32_t rank) const;
    std::size_t rounds() const;

    const proto::AssignGroup& order_;
    std::string agent_;
    ActorKind* kind_;
    Hooks hooks_;
    std::map<proto::AttemptId, DrawnItem> drawn_; ///< own ones
    std::set<proto::AttemptId> answered_;
};

} // namespace sdfleet::actor
