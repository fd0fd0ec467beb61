// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/events.hpp"
#include "coordinator/core/milliseconds.hpp"
#include "coordinator/core/pace.hpp"
#include "proto/messages.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sdfleet::coordinator {

/// One of a node's actors, as the coordinator knows it.
struct Actor {
    proto::ActorState state;
    std::vector<proto::AttemptId> in_flight; ///< in the order they were assigned: the first one runs,
    std::size_t batched = 0;                 ///< and with it as many as the actor draws at once; the others wait
    std::optional<std::size_t> open_level;   ///< kept by Core::note_room
    std::uint64_t items_done = 0;
    Milliseconds paused_until;
    std::string model; ///< of the item it was given last: what it has in memory, or will have
    Pace pace{8};
    proto::JobId held_for;    ///< the group job that waits for enough actors to be idle. Empty = none
    proto::ProgramId lent_to; ///< the program that has its device, or waits for it; no items then. Empty = none
};

struct Node {
    proto::NodeId id;
    proto::Incarnation incarnation;
    proto::NodeState state = proto::NodeState::alive;
    Peer control;
    std::optional<Peer> bulk;
    std::string hostname;
    std::string software;
    std::vector<proto::DeviceInfo> devices;
    std::vector<proto::ModelInfo> models;
    std::map<proto::Slot, Actor> actors;
    Milliseconds last_heard;
    bool is_draining = false; ///< finishes what it has, gets no new work
    std::string detail;       ///< why it was lost, for people
    std::string address;      ///< where ranks of other nodes reach it

    /// An empty name stands for echo, which every node can do.
    bool serves(const std::string& model) const;
};

/// How many of the actors that could do some work are in which phase; those of lost nodes are not counted.
struct ActorCensus {
    std::size_t ready = 0;
    std::size_t busy = 0; ///< of those that are ready
    std::size_t starting = 0;
    std::size_t restarting = 0;
    std::size_t failed = 0;
    std::size_t lent = 0;     ///< to programs
    std::size_t draining = 0; ///< on draining nodes, whatever their phase; in none of the other numbers

    std::size_t not_failed() const { return ready + starting + restarting + lent; }
    bool operator==(const ActorCensus&) const = default;
};

/// The nodes that joined, and what they can do. A plain table: who may join is the core's decision.
class Fleet {
public:
    std::map<proto::NodeId, Node>& nodes() { return nodes_; }
    const std::map<proto::NodeId, Node>& nodes() const { return nodes_; }

    Node* find(const proto::NodeId& id);
    const Node* find(const proto::NodeId& id) const;
    Actor* find(const proto::ActorId& id);
    const Actor* find(const proto::ActorId& id) const;

    bool has_live_node() const;
    bool has_live_node_with(const std::string& model) const;

    /// Of the actors that serve `model` (empty: echo) on nodes that are not lost.
    ActorCensus count_actors(const std::string& model) const;

    /// Those of them that have not failed, by node id and slot: the ranks of a job submitted now.
    std::vector<proto::ActorId> ranks_for(const std::string& model) const;

    /// Whether items may keep waiting for just this actor. Not when its node drains.
    bool may_come_back(const proto::ActorId& id) const;

    /// The names served by nodes that are not lost.
    std::vector<std::string> model_names() const;

    std::vector<proto::ModelReport> report_models(bool only_ready) const;

private:
    std::map<proto::NodeId, Node> nodes_;
};

} // namespace sdfleet::coordinator
