// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/error.hpp"
#include "collective/mesh.hpp"
#include "proto/group_messages.hpp"

#include <functional>

namespace sdfleet::collective {

/// A rank's connection to where the ranks of its group meet. Has a thread of its own.
class RendezvousLink {
public:
    virtual ~RendezvousLink() = default;

    /// Waits until all ranks are there. Of what comes back, everything is checked: members by rank, this one among them.
    virtual Result<proto::GroupFormed> join(const proto::GroupJoin& join, Deadline deadline) = 0;

    /// From now on, `tell` is called, in the link's thread, when the epoch is over. Until stop().
    virtual void on_abort(std::function<void(const proto::GroupAbort&)> tell) = 0;

    /// The epoch is over, as this rank found.
    virtual void abort(const proto::GroupAbort& abort) = 0;
};

/// What the answer to a join means for the rank that asked.
Result<proto::GroupFormed> read_answer(const proto::GroupJoin& join, proto::GroupFormed formed);
Error error_of(const proto::GroupRefused& refused, std::chrono::milliseconds timeout);
Error error_of(const proto::GroupAbort& abort);

/// How long the others are to be waited for, so that the answer is here before the deadline.
std::uint32_t patience_ms(Deadline deadline);

} // namespace sdfleet::collective
