// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "actor/work.hpp"

#include <cstddef>
#include <vector>

#include <tl/expected.hpp>

namespace sdfleet::actor {

/// What became of an item of a session.
struct Ended {
    proto::AttemptId attempt_id;
    DraftOutcome outcome;
};

/// Items that a kind draws together, step by step: they join and leave between two steps. Belongs to the compute thread,
/// as its kind does. There is one session at a time, for items of one batch key, and while it has any the kind's handle()
/// and draw() are not called. It ends when it is empty and no other item of its key waits, or with the actor.
class BatchSession {
public:
    virtual ~BatchSession() = default;

    /// Items that may join now; at least one when it is empty.
    virtual std::size_t room() const = 0;

    /// Called when there is room. From the next step on the item takes part. An error fails the item, which is not in the
    /// session then. What becomes of the item depends on `assign` alone, not on who else is in the session.
    virtual tl::expected<void, Failure> join(const proto::Assign& assign, WorkContext context) = 0;

    /// One step of everything that is in it, which reports it; called when there is something. Gives back what ended with
    /// it, drawn or failed. Returns early, with nothing advanced, when an item is cancelled and the step would take long.
    /// An exception fails everything that is in the session, and ends it.
    virtual std::vector<Ended> step() = 0;

    /// Takes out an item that was cancelled; called between steps.
    virtual void leave(proto::AttemptId id) = 0;
};

} // namespace sdfleet::actor
