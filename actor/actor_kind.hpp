// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "actor/batch_session.hpp"
#include "actor/work.hpp"
#include "base/error.hpp"
#include "proto/batch_key.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace sdfleet::actor {

/// A sort of work that an actor can do; jobs name it in their parameters. Everything but batch_key(), finish() and health()
/// is called on the actor's one compute thread, so that an object needs no locks. An exception that leaves a call fails the
/// item (std::bad_alloc as out_of_memory) and the actor goes on.
///
/// The least that a kind has is handle(). One whose pictures take encoding has draw() and finish(), so that the device goes
/// on while a picture is encoded; one that can draw several items at once has max_batch() and open_session().
class ActorKind {
public:
    virtual ~ActorKind() = default;

    /// Called once, before the actor says that it is ready: load here what every item needs. An error ends the actor with
    /// its exit code; ExitCode::bad_input ends the agent too, because no restart would help.
    virtual base::Result<void> start() { return {}; }

    /// Does one item. The result must depend on the assignment alone, never on earlier items or retries.
    virtual Outcome handle(const proto::Assign& assign, const WorkContext& context) = 0;

    /// Does one item but for its encoding. handle() is finish() of this, to the bit.
    virtual DraftOutcome draw(const proto::Assign& assign, const WorkContext& context)
    {
        return handle(assign, context).map([](Product product) {
            return Draft{std::move(product.media_type), std::move(product.content), 0, 0, {}};
        });
    }

    /// Of a draft that this or another actor of the same kind drew. Called on another thread, also while the compute thread
    /// draws what comes next: it must touch nothing that the other calls change.
    virtual Outcome finish(const Draft& draft) { return Product{draft.media_type, draft.content}; }

    /// Items that one session can hold, 1 to proto::max_batch_limit. Asked once, after start(): the fleet sends so many at
    /// once, and one more to wait.
    virtual std::size_t max_batch() const { return 1; }

    /// Items with equal keys may be in one session. On any thread; depends on the assignment alone.
    virtual std::string batch_key(const proto::Assign& assign) const
    {
        return proto::batch_key(assign.model, assign.parameters);
    }

    /// A session, empty yet, for items with the key of `first`. This one has room for one item, and draw() is its one step.
    virtual tl::expected<std::unique_ptr<BatchSession>, Failure> open_session(const proto::Assign& first);

    /// What is wrong with the device or the process, if anything: the actor then leaves with exit code device_lost and is
    /// started anew. Called on the I/O thread with every heartbeat and with every item that failed, also while one is drawn.
    virtual std::optional<std::string> health() const { return std::nullopt; }
};

} // namespace sdfleet::actor
