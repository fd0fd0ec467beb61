// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/effects.hpp"
#include "coordinator/core/options.hpp"
#include "tests/sim/agenda.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string>

namespace sdfleet::sim {

/// When the coordinator heard each node last, as it is to count that: its own late ticks are forgiven to the nodes.
class Silence {
public:
    explicit Silence(const coordinator::Options& options) : options_(options) {}

    void coordinator_starts()
    {
        node_of_peer_.clear();
        heard_.clear();
    }

    void before_step(const coordinator::Event& event, std::optional<coordinator::Milliseconds> deadline, Time now)
    {
        if (std::holds_alternative<coordinator::Tick>(event) && deadline) {
            const Time lateness = now - deadline->count;
            for (auto& [node, heard] : heard_) {
                heard = lateness > options_.heartbeat_interval.count ? std::min(now, heard + lateness) : heard;
            }
        }
    }

    /// Words that were refused are none.
    void after_step(const coordinator::Event& event, const coordinator::Effects& effects, Time now)
    {
        const auto* packet = std::get_if<coordinator::PacketReceived>(&event);
        const bool is_refused = std::ranges::any_of(effects, [&](const auto& effect) {
            const auto* send = std::get_if<coordinator::Send>(&effect);
            return send != nullptr && std::holds_alternative<proto::Refused>(send->message) && packet != nullptr &&
                   send->peer == packet->peer;
        });
        if (packet != nullptr && !is_refused) {
            if (const auto* hello = std::get_if<proto::AgentHello>(&packet->message)) {
                node_of_peer_[packet->peer.bytes] = hello->node_id;
            }
            if (const auto node = node_of_peer_.find(packet->peer.bytes); node != node_of_peer_.end()) {
                heard_[node->second] = now;
            }
        }
    }

    const proto::NodeId& node_of(const std::string& peer) { return node_of_peer_[peer]; }
    const std::map<proto::NodeId, Time>& heard() const { return heard_; }

private:
    coordinator::Options options_;
    std::map<std::string, proto::NodeId> node_of_peer_;
    std::map<proto::NodeId, Time> heard_;
};

} // namespace sdfleet::sim
