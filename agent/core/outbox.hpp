// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/core/effect.hpp"
#include "agent/core/finished_attempt.hpp"

#include <optional>
#include <utility>
#include <vector>

namespace sdfleet::agent {

/// What the parts of the core want done in one step; the core turns it into effects at the step's end.
struct Outbox {
    Effects effects;
    std::vector<proto::Message> control;    ///< to the coordinator, lost when it is not there
    std::vector<proto::AttemptId> accepted; ///< by the slot that was touched
    std::vector<proto::Packet> bulky;       ///< the same with raw bytes; their envelopes are filled in later
    std::vector<FinishedAttempt> finished;  ///< to the coordinator, until it acknowledges them
    std::optional<Exit> stop;               ///< the whole agent is of no use any more

    void log(LogLevel level, std::string text, base::LogSubject subject = {})
    {
        effects.push_back(Log{level, std::move(text), std::move(subject)});
    }

    void to_actor(Launch launch, proto::Message message)
    {
        effects.emplace_back(SendToActor{launch, proto::Packet{proto::Envelope{}, std::move(message), {}}});
    }
};

} // namespace sdfleet::agent
