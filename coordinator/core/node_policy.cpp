// SPDX-License-Identifier: Apache-2.0
// The core's part that carries out what operators decide about nodes, and that mistrusts mass silence.
#include "coordinator/core/core.hpp"

#include <algorithm>
#include <utility>

namespace sdfleet::coordinator {

void Core::on(const proto::DrainNode& message, const From& from)
{
    SetNodePolicy policy = policy_of(message.node_id);
    policy.is_draining = message.drain;
    decide(std::move(policy), from);
}

void Core::on(const proto::FenceNode& message, const From& from)
{
    SetNodePolicy policy = policy_of(message.node_id);
    if (const Node* node = fleet_.find(message.node_id)) {
        policy.fenced = std::max(policy.fenced, node->incarnation);
    }
    decide(std::move(policy), from);
}

SetNodePolicy Core::policy_of(const proto::NodeId& id) const
{
    const auto found = policies_.find(id);
    return found == policies_.end() ? SetNodePolicy{id, false, {}} : found->second;
}

/// Takes effect, and is answered, once it is on disk.
void Core::decide(SetNodePolicy policy, const From& from)
{
    const Requester requester{from.packet.peer, from.packet.correlation};
    if (fleet_.find(policy.node_id) == nullptr) {
        std::string known;
        for (const auto& [id, node] : fleet_.nodes()) {
            constexpr std::size_t shown = 300;
            known += known.size() < shown ? (known.empty() ? "" : ", ") + id.value : "";
        }
        fail(requester, proto::RequestError::unknown_node,
             "there is no node '" + policy.node_id.value.substr(0, 64) +
                 "'; the fleet has: " + (known.empty() ? "none" : known));
        return;
    }
    if (!policies_.contains(policy.node_id) && policies_.size() >= limits_.nodes) {
        fail_overloaded(requester, "decisions about too many nodes are kept");
        return;
    }
    if (!may_wait_for_disk(from)) {
        return;
    }
    const Ticket ticket = next_ticket();
    pending_.emplace(ticket, PolicyUnderWay{policy, requester});
    effects_.push_back(Persist{ticket, std::move(policy)});
}

void Core::finish_policy(const PolicyUnderWay& under_way)
{
    const SetNodePolicy& policy = under_way.policy;
    keep_policy(policy);
    release(under_way.requester);
    Node* node = fleet_.find(policy.node_id);
    if (node == nullptr) {
        fail(under_way.requester, proto::RequestError::unknown_node,
             "the node '" + policy.node_id.value + "' left the books meanwhile");
        return;
    }
    if (node->is_draining != policy.is_draining) {
        node->is_draining = policy.is_draining;
        log(LogLevel::info,
            "node " + node->id.value + (node->is_draining ? " drains: it gets no new work" : " gets work again"),
            about(node->id));
        is_fleet_changed_ = true;
    }
    if (node->is_draining) {
        ask_back_staged(*node);
    }
    if (node->incarnation <= policy.fenced && node->state != proto::NodeState::lost) {
        const proto::Refused refused = refuse_fenced(node->id);
        send(node->control, refused);
        if (node->bulk) {
            send(*node->bulk, refused);
        }
        lose(*node, "an operator fenced it", proto::FailureReason::node_lost);
    }
    send(under_way.requester.peer, proto::NodeChanged{report(*node)}, under_way.requester.correlation);
}

void Core::keep_policy(const SetNodePolicy& policy)
{
    if (policy.is_draining || policy.fenced.value > 0) {
        policies_.insert_or_assign(policy.node_id, policy);
    } else {
        policies_.erase(policy.node_id);
    }
}

/// What waits behind a running item can as well be done elsewhere.
void Core::ask_back_staged(const Node& node)
{
    for (const auto& [slot, actor] : node.actors) {
        ask_back_staged(node, actor);
    }
}

void Core::ask_back_staged(const Node& node, const Actor& actor)
{
    for (std::size_t i = actor.batched; i < actor.in_flight.size(); ++i) {
        const Attempt& attempt = attempts_.at(actor.in_flight[i]);
        const bool waits = attempt.stage == AttemptStage::assigned || attempt.stage == AttemptStage::accepted;
        if (waits && taken_back_.insert(attempt.id).second) {
            send(node.control, proto::CancelAttempt{attempt.id});
        }
    }
}

bool Core::is_fenced(const proto::NodeId& id, proto::Incarnation incarnation) const
{
    const auto found = policies_.find(id);
    return found != policies_.end() && incarnation <= found->second.fenced;
}

proto::Refused Core::refuse_fenced(const proto::NodeId& id)
{
    return {proto::RefusalReason::fenced, "an operator fenced this start of node '" + id.value +
                                              "' (sdctl node fence); start the agent again to rejoin"};
}

/// Whether nodes may be given up for their silence now.
void Core::update_brake()
{
    std::size_t nodes = 0;
    std::size_t silent = 0;
    for (const auto& [id, node] : fleet_.nodes()) {
        if (node.state != proto::NodeState::lost) {
            ++nodes;
            silent += now_ - node.last_heard >= options_.suspect_after() ? 1 : 0;
        }
    }
    if (!brake_.update(nodes, silent, now_)) {
        return;
    }
    if (brake_.is_holding()) {
        effects_.push_back(Alarm{std::to_string(silent) + " of " + std::to_string(nodes) +
                                 " nodes fell silent at once; their work is held for them. Is this machine's network "
                                 "at fault? If the nodes are dead: sdctl node fence"});
    } else {
        log(LogLevel::warning, "nodes may be given up for their silence again");
    }
}

} // namespace sdfleet::coordinator
