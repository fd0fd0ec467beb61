// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/packet.hpp"

#include <string>
#include <vector>

namespace sdfleet::agent {

/// The end of an attempt: what the coordinator has to hear, and acknowledge.
struct FinishedAttempt {
    proto::AttemptReport attempt;
    proto::Message message; ///< ItemDone or ItemFailed
    std::vector<proto::Blob> blobs;
};

inline proto::AttemptReport report_of(const proto::Assign& assign)
{
    return {assign.attempt_id, assign.job_id, assign.index, assign.slot};
}

inline FinishedAttempt failed(const proto::Assign& assign, proto::FailureReason reason, std::string message)
{
    return {report_of(assign),
            proto::ItemFailed{assign.attempt_id, assign.job_id, assign.index, reason, std::move(message)},
            {}};
}

} // namespace sdfleet::agent
