// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "proto/packet.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

namespace sdfleet::actor {

/// What an item became: its artifact.
struct Product {
    std::string media_type; ///< "image/png"
    proto::Blob content;    ///< at most proto::max_blob_bytes
};

/// Why an item became nothing.
struct Failure {
    proto::FailureReason reason = proto::FailureReason::internal;
    std::string message; ///< for people
};

using Outcome = tl::expected<Product, Failure>;

/// An item that is drawn and not encoded yet: what the members of a group gather. finish() makes a Product of it, on
/// whichever actor.
struct Draft {
    std::string media_type;
    proto::Blob content;      ///< an image's pixels, uint8 [height, width, 3], or the product's content itself
    std::uint32_t height = 0; ///< 0 = the content needs no encoding
    std::uint32_t width = 0;
    std::vector<std::pair<std::string, std::string>> texts; ///< that the encoded image carries
};

using DraftOutcome = tl::expected<Draft, Failure>;

/// What a kind is given for the time of one item.
struct WorkContext {
    /// Set when the item is cancelled: return FailureReason::cancelled soon, between two steps at the latest.
    std::stop_token cancelled;

    /// Tells the fleet how far the item is. Cheap; may be called after every step.
    std::function<void(std::uint32_t step, std::uint32_t steps)> report_step;
};

/// A sort of work that an actor can do; jobs name it in their parameters. Everything but health() is called on the
/// actor's one compute thread, so that an object needs no locks. An exception that leaves handle() fails the item
/// (std::bad_alloc as out_of_memory) and the actor goes on.
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

    /// Of a draft that this or another actor of the same kind drew.
    virtual Outcome finish(const Draft& draft) { return Product{draft.media_type, draft.content}; }

    /// What is wrong with the device or the process, if anything: the actor then leaves and is started anew. Called on the
    /// I/O thread with every heartbeat, also during handle().
    virtual std::optional<std::string> health() const { return std::nullopt; }
};

} // namespace sdfleet::actor
