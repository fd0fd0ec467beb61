// SPDX-License-Identifier: Apache-2.0
// The core's part that decides who is here: hellos, heartbeats, leases.
#include "coordinator/core/core.hpp"
#include "proto/version.hpp"

#include <algorithm>
#include <utility>

namespace sdfleet::coordinator {

namespace {

constexpr std::size_t attempts_per_actor = proto::max_batch_limit + 16; ///< in hand, or ended and not acknowledged

std::optional<std::string> find_fault(const proto::AgentHello& hello, const Limits& limits)
{
    if (!proto::is_valid_name(hello.node_id.value)) {
        return "'" + hello.node_id.value + "' is not a node id (1 to 64 letters, digits, . _ -)";
    }
    if (hello.actors.size() > limits.actors_per_node || hello.models.size() > limits.models_per_node ||
        hello.attempts.size() > limits.actors_per_node * attempts_per_actor) {
        return "more actors, models or attempts than one node may have";
    }
    std::set<proto::Slot> slots;
    for (const auto& actor : hello.actors) {
        if (!slots.insert(actor.slot).second) {
            return "two actors in slot " + std::to_string(actor.slot.value);
        }
        if (!proto::is_valid_batch(actor.max_batch)) {
            return "the actor in slot " + std::to_string(actor.slot.value) + " draws " +
                   std::to_string(actor.max_batch) + " items at once, not 1 to " +
                   std::to_string(proto::max_batch_limit);
        }
    }
    for (const auto& model : hello.models) {
        if (!proto::is_valid_name(model.name)) {
            return "'" + model.name + "' is not a model name (1 to 64 letters, digits, . _ -)";
        }
    }
    return std::nullopt;
}

} // namespace

void Core::on_hello(const proto::ClientHello& hello, const PacketReceived& packet)
{
    const proto::VersionRange theirs{hello.protocol_min, hello.protocol_max};
    const auto version = proto::negotiate({}, theirs);
    if (!version) {
        refuse(packet, proto::refuse_version({}, theirs));
        return;
    }
    if (!make_room_for_peer(packet.peer)) {
        refuse(packet, {proto::RefusalReason::full, "the coordinator has too many clients; try again later"});
        return;
    }
    PeerRecord& record = peers_[packet.peer];
    record.role = proto::Role::client;
    record.last_heard = now_;
    welcome(packet, *version);
}

void Core::on_hello(const proto::AgentHello& hello, const PacketReceived& packet)
{
    const proto::VersionRange theirs{hello.protocol_min, hello.protocol_max};
    const auto version = proto::negotiate({}, theirs);
    if (!version) {
        log(LogLevel::warning,
            "refused node '" + hello.node_id.value + "' (" + hello.software +
                "): " + proto::refuse_version({}, theirs).message,
            about(hello.node_id));
        refuse(packet, proto::refuse_version({}, theirs));
        return;
    }
    if (auto refused = find_refusal(hello, packet.peer)) {
        log(LogLevel::warning, "refused node '" + hello.node_id.value + "': " + refused->message, about(hello.node_id));
        refuse(packet, std::move(*refused));
        return;
    }
    PeerRecord& record = peers_[packet.peer];
    record.role = proto::Role::agent;
    record.node_id = hello.node_id;
    record.incarnation = hello.incarnation;
    record.last_heard = now_;
    welcome(packet, *version);
    if (hello.channel == proto::Channel::control) {
        join(hello, packet);
    } else {
        attach_bulk(hello, packet);
    }
}

std::optional<proto::Refused> Core::find_refusal(const proto::AgentHello& hello, const Peer& peer)
{
    if (auto fault = find_fault(hello, limits_)) {
        return proto::Refused{proto::RefusalReason::invalid_hello, std::move(*fault)};
    }
    if (is_fenced(hello.node_id, hello.incarnation)) {
        return refuse_fenced(hello.node_id);
    }
    const Node* known = fleet_.find(hello.node_id);
    const bool is_here = known != nullptr && known->state != proto::NodeState::lost;
    if (is_here && hello.incarnation < known->incarnation) {
        return proto::Refused{proto::RefusalReason::superseded,
                              "a newer agent with the node id '" + hello.node_id.value + "' is here (on " +
                                  known->hostname + "); give each agent its own --node-id"};
    }
    if (hello.channel == proto::Channel::bulk && (!is_here || known->incarnation != hello.incarnation)) {
        return proto::Refused{proto::RefusalReason::not_registered, "say hello on the control channel first"};
    }
    if (!make_room_for_peer(peer) || (known == nullptr && !make_room_for_node(hello.node_id))) {
        return proto::Refused{proto::RefusalReason::full, "the coordinator has as many nodes as it can keep"};
    }
    return std::nullopt;
}

bool Core::make_room_for_peer(const Peer& peer)
{
    if (peers_.contains(peer) || peers_.size() < limits_.peers) {
        return true;
    }
    auto oldest = peers_.end();
    for (auto it = peers_.begin(); it != peers_.end(); ++it) {
        const auto& record = it->second;
        const bool is_idle_client =
            record.role == proto::Role::client && record.pending_requests == 0 && record.watchers.empty();
        if (is_idle_client && (oldest == peers_.end() || record.last_heard < oldest->second.last_heard)) {
            oldest = it;
        }
    }
    if (oldest == peers_.end()) {
        return false;
    }
    forget_peer(Peer(oldest->first));
    return true;
}

bool Core::make_room_for_node(const proto::NodeId& id)
{
    auto& nodes = fleet_.nodes();
    if (nodes.contains(id) || nodes.size() < limits_.nodes) {
        return true;
    }
    auto oldest = nodes.end();
    for (auto it = nodes.begin(); it != nodes.end(); ++it) {
        if (it->second.state == proto::NodeState::lost &&
            (oldest == nodes.end() || it->second.last_heard < oldest->second.last_heard)) {
            oldest = it;
        }
    }
    if (oldest == nodes.end()) {
        return false;
    }
    nodes.erase(oldest);
    return true;
}

void Core::welcome(const PacketReceived& packet, std::uint16_t version)
{
    send(packet.peer,
         proto::Welcome{version, identity_.software, identity_.epoch,
                        static_cast<std::uint32_t>(options_.heartbeat_interval.count),
                        static_cast<std::uint32_t>(options_.lease.count)},
         packet.correlation);
}

void Core::refuse(const PacketReceived& packet, proto::Refused refused)
{
    send(packet.peer, std::move(refused), packet.correlation);
}

void Core::join(const proto::AgentHello& hello, const PacketReceived& packet)
{
    Node& node = fleet_.nodes()[hello.node_id];
    const bool is_new = node.id.value.empty();
    const bool is_same_start = !is_new && node.state != proto::NodeState::lost && node.incarnation == hello.incarnation;
    if (!is_new && !is_same_start && node.state != proto::NodeState::lost) {
        supersede(node);
    }
    if (is_same_start && node.control != packet.peer) {
        forget_peer(Peer(node.control));
    }
    if (!is_same_start) {
        node.bulk.reset();
    }
    node.id = hello.node_id;
    node.incarnation = hello.incarnation;
    node.state = proto::NodeState::alive;
    node.control = packet.peer;
    node.hostname = hello.hostname;
    node.software = hello.software;
    node.devices = hello.devices;
    node.models = hello.models;
    node.last_heard = now_;
    node.is_draining = policy_of(node.id).is_draining;
    node.detail.clear();
    node.address = hello.address;
    replace_actors(node, hello.actors, is_same_start);
    reconcile(node, hello.attempts, is_same_start);
    timers_.set(NodeTimer{node.id}, now_ + options_.suspect_after());
    is_fleet_changed_ = true;
    if (brake_.is_engaged()) {
        update_brake();
    }
    log(LogLevel::info,
        "node " + node.id.value + (is_same_start ? " is back" : " joined") + " from " + node.hostname + " with " +
            std::to_string(node.actors.size()) + " actors and " + std::to_string(node.models.size()) + " models",
        about(node.id));
}

void Core::attach_bulk(const proto::AgentHello& hello, const PacketReceived& packet)
{
    Node& node = *fleet_.find(hello.node_id);
    if (node.bulk && *node.bulk != packet.peer) {
        forget_peer(Peer(*node.bulk));
    }
    node.bulk = packet.peer;
    heard(node);
}

/// The older agent's connections stay known, so that whatever it still says is answered with the reason to stop.
void Core::supersede(Node& node)
{
    const proto::Refused refused{proto::RefusalReason::superseded,
                                 "a newer agent with the node id '" + node.id.value +
                                     "' has joined; give each agent its own --node-id"};
    send(node.control, refused);
    if (node.bulk) {
        send(*node.bulk, refused);
    }
    log(LogLevel::warning, "node " + node.id.value + " was started again: the older agent must stop", about(node.id));
    end_on(node, "its agent was started again");
    replace_actors(node, {}, false);
}

/// Takes over the reported actors. What was in flight stays with its slot when the same agent still runs, and is given
/// to others when it does not.
void Core::replace_actors(Node& node, const std::vector<proto::ActorState>& states, bool keeps_work)
{
    const Failure gone{proto::FailureReason::node_lost, "node " + node.id.value + " was started again"};
    for (auto& [slot, actor] : node.actors) {
        const auto reported = std::ranges::find(states, slot, &proto::ActorState::slot);
        if (!keeps_work || reported == states.end() || reported->phase == proto::ActorPhase::failed) {
            for (const auto id : std::vector(actor.in_flight)) {
                drop(Attempt(attempts_.at(id)), gone);
            }
        }
    }
    std::map<proto::Slot, Actor> actors;
    for (const auto& state : states) {
        Actor& actor = actors[state.slot];
        if (const auto known = node.actors.find(state.slot); known != node.actors.end()) {
            actor = std::move(known->second);
        }
        actor.state = state;
    }
    node.actors = std::move(actors);
}

/// Settles what the agent has in hand with what it should have.
void Core::reconcile(Node& node, const std::vector<proto::AttemptReport>& reports, bool is_same_start)
{
    std::vector<proto::AttemptId> present;
    for (const auto& report : reports) {
        present.push_back(report.attempt_id);
        const Attempt* attempt = find_attempt(report.attempt_id, node);
        if (attempt != nullptr && attempt->stage != AttemptStage::cancelling) {
            continue;
        }
        const auto [job, item] = jobs_.find({report.job_id, report.index});
        const bool is_result_known = item != nullptr && item->attempt == report.attempt_id;
        if (!is_result_known && (attempt != nullptr || !adopt(node, report))) {
            send(node.control, proto::CancelAttempt{report.attempt_id});
        }
    }
    if (is_same_start) {
        check_presence(node, present);
    }
}

Node* Core::admit(const From& from)
{
    if (is_fenced(from.record.node_id, from.record.incarnation)) {
        refuse(from.packet, refuse_fenced(from.record.node_id));
        return nullptr;
    }
    Node* node = fleet_.find(from.record.node_id);
    if (node != nullptr && node->state != proto::NodeState::lost && from.record.incarnation < node->incarnation) {
        refuse(from.packet,
               {proto::RefusalReason::superseded, "a newer agent with the node id '" + node->id.value + "' is here"});
        return nullptr;
    }
    if (node == nullptr || node->state == proto::NodeState::lost || from.record.incarnation != node->incarnation) {
        refuse(from.packet, {proto::RefusalReason::not_registered, "the node was given up; say hello again"});
        return nullptr;
    }
    heard(*node);
    return node;
}

void Core::heard(Node& node)
{
    node.last_heard = now_;
    if (node.state == proto::NodeState::suspect) {
        node.state = proto::NodeState::alive;
        timers_.set(NodeTimer{node.id}, now_ + options_.suspect_after());
        is_fleet_changed_ = true;
        log(LogLevel::info, "node " + node.id.value + " is heard again", about(node.id));
        update_brake();
    }
}

void Core::lose(Node& node, const std::string& why, proto::FailureReason reason)
{
    log(LogLevel::warning, "node " + node.id.value + " is lost: " + why + "; its work is given to others",
        about(node.id));
    node.state = proto::NodeState::lost;
    node.detail = why;
    ++counters_.nodes_lost;
    if (brake_.is_engaged()) {
        update_brake();
    }
    timers_.cancel(NodeTimer{node.id});
    end_on(node, why); // first, so that groups hear which rank was lost
    for (auto& [slot, actor] : node.actors) {
        for (const auto id : std::vector(actor.in_flight)) {
            drop(Attempt(attempts_.at(id)), Failure{reason, "node " + node.id.value + " is lost: " + why});
        }
    }
    is_fleet_changed_ = true;
}

void Core::forget_peer(const Peer& peer)
{
    const auto found = peers_.find(peer);
    if (found == peers_.end()) {
        return;
    }
    for (const auto watcher : std::set(found->second.watchers)) {
        remove_watcher(watcher);
    }
    peers_.erase(peer);
}

void Core::on(const proto::Goodbye& message, Node& node, const From&)
{
    lose(node, "it said goodbye" + (message.message.empty() ? "" : " (" + message.message + ")"),
         proto::FailureReason::node_lost);
}

void Core::on(const proto::Heartbeat& message, Node& node, const From& from)
{
    send(from.packet.peer, proto::HeartbeatAck{message.sequence, static_cast<std::uint32_t>(options_.lease.count)},
         from.packet.correlation);
    for (const auto& state : message.actors) {
        note_actor(node, state);
    }
    for (const auto id : message.attempts) {
        const Attempt* attempt = find_attempt(id, node);
        if (attempt == nullptr || attempt->stage == AttemptStage::cancelling) {
            send(node.control, proto::CancelAttempt{id}); // the word of it may have been lost; a result is not harmed
        }
    }
    for (const auto id : message.attempts) { // of a group, rank 0 may have what others have drawn
        if (const auto found = attempts_.find(id); found != attempts_.end() && is_in_group_of(found->second, node)) {
            found->second.missing_since.reset();
        }
    }
    check_presence(node, message.attempts);
    programs_.on_heartbeat(message.programs, node, fleet_);
}

void Core::on(const proto::ActorUpdate& message, Node& node, const From&)
{
    note_actor(node, message.actor);
}

void Core::note_actor(Node& node, const proto::ActorState& state)
{
    const auto found = node.actors.find(state.slot);
    if ((found == node.actors.end() && node.actors.size() >= limits_.actors_per_node) ||
        !proto::is_valid_batch(state.max_batch)) {
        ++counters_.misdirected;
        return;
    }
    const bool is_new_phase = found == node.actors.end() || found->second.state.phase != state.phase;
    Actor& actor = node.actors[state.slot];
    if (actor.state.pid != state.pid) {
        actor.model.clear();     // a new process has nothing in memory,
        actor.paused_until = {}; // and has not refused anything yet
        is_fleet_changed_ = true;
    }
    is_fleet_changed_ = is_fleet_changed_ || actor.state.max_batch != state.max_batch;
    actor.state = state;
    if (!is_new_phase) {
        return;
    }
    is_fleet_changed_ = true;
    abort_groups_with({node.id, state.slot}, state.detail.empty() ? "is not ready any more" : state.detail);
    if (state.phase == proto::ActorPhase::failed) {
        log(LogLevel::warning,
            "actor " + proto::to_string(proto::ActorId{node.id, state.slot}) + " failed for good: " + state.detail,
            about(proto::ActorId{node.id, state.slot}));
        for (const auto id : std::vector(actor.in_flight)) {
            send(node.control, proto::CancelAttempt{id});
            drop(Attempt(attempts_.at(id)), Failure{proto::FailureReason::actor_died, state.detail});
        }
    }
}

} // namespace sdfleet::coordinator
