// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/milliseconds.hpp"
#include "proto/messages.hpp"

#include <memory>
#include <optional>
#include <string>

namespace sdfleet::coordinator {

enum class AttemptStage {
    assigned,  ///< sent; the agent has not said that it has it
    accepted,  ///< the agent holds it, staged behind another or about to start
    running,   ///< its actor reported a sign of work
    cancelling ///< given up: its item has moved on, but it may still keep its actor busy
};

/// One try at one item. Exists from the Assign until its end is known; a result that is being written is a Settlement.
struct Attempt {
    proto::AttemptId id;
    proto::ItemId item;
    proto::ActorId actor;
    AttemptStage stage = AttemptStage::assigned;
    Milliseconds assigned_at;
    Milliseconds moved_at;                             ///< last sign of progress, or when its turn came
    Milliseconds started_at;                           ///< when it began to run
    std::uint64_t charged_ms = 0;                      ///< to its job's turn; 0 when it was not
    std::optional<Milliseconds> missing_since;         ///< absent from its node's heartbeats since then
    proto::Epoch group_epoch = {};                     ///< of the group's run that it is part of; 0 = none
    std::shared_ptr<const std::string> batch_key = {}; ///< of its item: what has an equal one may be drawn with it
    bool is_alone = false;                             ///< its actor draws nothing else meanwhile
};

/// How an attempt ended badly.
struct Failure {
    proto::FailureReason reason = proto::FailureReason::internal;
    std::string message;
};

/// "actor died", for people.
const char* to_string(proto::FailureReason reason);

/// Whether another try may succeed.
bool is_retryable(proto::FailureReason reason);

} // namespace sdfleet::coordinator
