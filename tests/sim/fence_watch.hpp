// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/core/effect.hpp"
#include "agent/core/event.hpp"
#include "tests/sim/agenda.hpp"
#include "tests/sim/violation.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace sdfleet::sim {

/// I3 as an agent has to keep it: when its lease is over, its actors have been told to stop, and its ranks killed. Knows what really came from
/// the coordinator, whatever the agent believes.
class FenceWatch {
public:
    void hear(const agent::Event& event)
    {
        if (const auto* word = std::get_if<agent::FromCoordinator>(&event)) {
            const auto* welcome = std::get_if<proto::Welcome>(&word->packet.message);
            if (welcome != nullptr && word->channel == proto::Channel::control) {
                extend(hello_sent_at_ + welcome->lease_ms);
            } else if (const auto* ack = std::get_if<proto::HeartbeatAck>(&word->packet.message)) {
                if (const auto sent = heartbeats_.find(ack->sequence); sent != heartbeats_.end()) {
                    extend(sent->second + ack->lease_ms);
                    heartbeats_.erase(heartbeats_.begin(), std::next(sent));
                }
            }
        } else if (const auto* news = std::get_if<agent::FromActor>(&event)) {
            if (std::holds_alternative<proto::ItemDone>(news->packet.message) ||
                std::holds_alternative<proto::ItemFailed>(news->packet.message)) {
                working_.erase(news->launch);
            }
        } else if (const auto* exited = std::get_if<agent::ActorExited>(&event)) {
            working_.erase(exited->launch);
        } else if (const auto* ended = std::get_if<agent::RankEnded>(&event)) {
            running_.erase({ended->run, ended->rank});
        }
    }

    void see(const agent::Effect& effect, Time now)
    {
        if (const auto* send = std::get_if<agent::SendToCoordinator>(&effect)) {
            if (const auto* heartbeat = std::get_if<proto::Heartbeat>(&send->packet.message)) {
                heartbeats_[heartbeat->sequence] = now;
            } else if (std::holds_alternative<proto::AgentHello>(send->packet.message) &&
                       send->channel == proto::Channel::control) {
                hello_sent_at_ = now;
            }
        } else if (const auto* order = std::get_if<agent::SendToActor>(&effect)) {
            if (const auto* assign = std::get_if<proto::Assign>(&order->packet.message)) {
                working_[order->launch] = assign->attempt_id;
            } else if (std::holds_alternative<proto::CancelAttempt>(order->packet.message) ||
                       std::holds_alternative<proto::Goodbye>(order->packet.message)) {
                working_.erase(order->launch);
            }
        } else if (const auto* kill = std::get_if<agent::KillActor>(&effect)) {
            working_.erase(kill->launch);
        } else if (const auto* spawn = std::get_if<agent::SpawnRank>(&effect)) {
            running_.insert({spawn->run, spawn->rank});
        } else if (const auto* end = std::get_if<agent::EndRank>(&effect); end && end->ending != agent::Ending::ask) {
            running_.erase({end->run, end->rank});
        }
    }

    void check(const std::string& name, Time now) const
    {
        require(working_.empty() || now < lease_until_, "I3", [&] {
            return name + " lost its lease at " + std::to_string(lease_until_) + " ms and still works on " +
                   std::to_string(working_.size()) + " items";
        });
        require(running_.empty() || now < lease_until_, "I3", [&] {
            return name + " lost its lease at " + std::to_string(lease_until_) + " ms and still has " +
                   std::to_string(running_.size()) + " ranks";
        });
    }

private:
    void extend(Time until) { lease_until_ = std::max(lease_until_, until); }

    Time lease_until_ = 0;
    Time hello_sent_at_ = 0;
    std::map<std::uint64_t, Time> heartbeats_; ///< sent, by sequence number
    std::map<agent::Launch, proto::AttemptId> working_;
    std::set<std::pair<proto::ProgramRun, proto::Rank>> running_;
};

} // namespace sdfleet::sim
