// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/packet.hpp"

#include <cstdint>
#include <functional>
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

} // namespace sdfleet::actor
