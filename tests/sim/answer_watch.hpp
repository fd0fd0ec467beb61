// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/effects.hpp"
#include "proto/message_table.hpp"
#include "tests/sim/agenda.hpp"
#include "tests/sim/description.hpp"
#include "tests/sim/violation.hpp"

#include <map>
#include <string>
#include <utility>

namespace sdfleet::sim {

/// I15: whatever a client asks is answered, unless the coordinator or the connection died meanwhile.
class AnswerWatch {
public:
    void coordinator_starts() { open_.clear(); }

    void before_step(const coordinator::Event& event, Time now)
    {
        if (const auto* packet = std::get_if<coordinator::PacketReceived>(&event)) {
            const auto type = proto::type_of(packet->message);
            if (packet->correlation != 0 && proto::may_send(proto::Role::client, proto::Role::coordinator, type)) {
                open_[{packet->peer, packet->correlation}] = {now, type};
            }
        } else if (const auto* gone = std::get_if<coordinator::PeerUnreachable>(&event)) {
            std::erase_if(open_, [&](const auto& entry) { return entry.first.first == gone->peer; });
        }
    }

    void after_step(const coordinator::Effects& effects, Time now)
    {
        for (const auto& effect : effects) {
            if (const auto* send = std::get_if<coordinator::Send>(&effect)) {
                open_.erase({send->peer, send->correlation});
            }
        }
        for (const auto& [request, asked] : open_) {
            require(now - asked.first < patience_ms, "I15", [&] {
                return "a " + std::string(proto::info_of(asked.second).name) + " of " + request.first.bytes +
                       " was not answered within " + std::to_string(patience_ms) + " ms";
            });
        }
    }

private:
    static constexpr Time patience_ms = 60'000; ///< for a WatchJob, a slow disk and pauses together

    std::map<std::pair<coordinator::Peer, std::uint64_t>, std::pair<Time, proto::MessageType>> open_;
};

} // namespace sdfleet::sim
