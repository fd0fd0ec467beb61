// SPDX-License-Identifier: Apache-2.0
#include "coordinator/core/fleet.hpp"

#include <algorithm>
#include <set>

namespace sdfleet::coordinator {

bool Node::serves(const std::string& model) const
{
    return model.empty() ||
           std::ranges::any_of(models, [&](const proto::ModelInfo& info) { return info.name == model; });
}

Node* Fleet::find(const proto::NodeId& id)
{
    const auto found = nodes_.find(id);
    return found == nodes_.end() ? nullptr : &found->second;
}

const Node* Fleet::find(const proto::NodeId& id) const
{
    const auto found = nodes_.find(id);
    return found == nodes_.end() ? nullptr : &found->second;
}

Actor* Fleet::find(const proto::ActorId& id)
{
    return const_cast<Actor*>(std::as_const(*this).find(id));
}

const Actor* Fleet::find(const proto::ActorId& id) const
{
    const Node* node = find(id.node_id);
    if (node == nullptr) {
        return nullptr;
    }
    const auto found = node->actors.find(id.slot);
    return found == node->actors.end() ? nullptr : &found->second;
}

bool Fleet::has_live_node() const
{
    return std::ranges::any_of(nodes_, [](const auto& entry) { return entry.second.state != proto::NodeState::lost; });
}

bool Fleet::has_live_node_with(const std::string& model) const
{
    return std::ranges::any_of(nodes_, [&](const auto& entry) {
        return entry.second.state != proto::NodeState::lost && entry.second.serves(model);
    });
}

ActorCensus Fleet::count_actors(const std::string& model) const
{
    ActorCensus census;
    for (const auto& [id, node] : nodes_) {
        if (node.state == proto::NodeState::lost || !node.serves(model)) {
            continue;
        }
        for (const auto& [slot, actor] : node.actors) {
            if (node.is_draining) {
                ++census.draining;
                continue;
            }
            if (!actor.lent_to.value.empty() && actor.in_flight.empty()) {
                ++census.lent;
                continue;
            }
            switch (actor.state.phase) {
            case proto::ActorPhase::ready:
                ++census.ready;
                census.busy += actor.in_flight.empty() ? 0 : 1;
                break;
            case proto::ActorPhase::starting:
                ++census.starting;
                break;
            case proto::ActorPhase::restarting:
                ++census.restarting;
                break;
            case proto::ActorPhase::failed:
                ++census.failed;
                break;
            case proto::ActorPhase::lent:
                ++census.lent;
                break;
            case proto::ActorPhase::vacant:
                break;
            }
        }
    }
    return census;
}

std::vector<proto::ActorId> Fleet::ranks_for(const std::string& model) const
{
    std::vector<proto::ActorId> ranks;
    for (const auto& [id, node] : nodes_) {
        if (node.state == proto::NodeState::lost || node.is_draining || !node.serves(model)) {
            continue;
        }
        for (const auto& [slot, actor] : node.actors) {
            if (actor.state.phase != proto::ActorPhase::failed && actor.state.phase != proto::ActorPhase::vacant) {
                ranks.push_back({id, slot});
            }
        }
    }
    return ranks;
}

bool Fleet::may_come_back(const proto::ActorId& id) const
{
    const Node* node = find(id.node_id);
    const Actor* actor = find(id);
    return actor != nullptr && node->state != proto::NodeState::lost && !node->is_draining &&
           actor->state.phase != proto::ActorPhase::failed && actor->state.phase != proto::ActorPhase::vacant;
}

std::vector<std::string> Fleet::model_names() const
{
    std::set<std::string> names;
    for (const auto& [id, node] : nodes_) {
        if (node.state != proto::NodeState::lost) {
            for (const auto& model : node.models) {
                names.insert(model.name);
            }
        }
    }
    return {names.begin(), names.end()};
}

std::vector<proto::ModelReport> Fleet::report_models(bool only_ready) const
{
    std::map<std::string, proto::ModelReport> reports;
    for (const auto& [id, node] : nodes_) {
        if (node.state == proto::NodeState::lost) {
            continue;
        }
        const auto ready = std::ranges::count_if(
            node.actors, [](const auto& entry) { return entry.second.state.phase == proto::ActorPhase::ready; });
        for (const auto& model : node.models) {
            auto& report = reports[model.name];
            report.name = model.name;
            if (std::ranges::find(report.fingerprints, model.fingerprint) == report.fingerprints.end()) {
                report.fingerprints.push_back(model.fingerprint);
            }
            report.nodes.push_back(id);
            report.actors_ready += static_cast<std::uint32_t>(ready);
        }
    }
    std::vector<proto::ModelReport> list;
    for (auto& [name, report] : reports) {
        if (!only_ready || report.actors_ready > 0) {
            list.push_back(std::move(report));
        }
    }
    return list;
}

} // namespace sdfleet::coordinator
