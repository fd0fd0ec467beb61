// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/core/inbox.hpp"
#include "collective/error.hpp"
#include "collective/process_group.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <variant>

namespace sdfleet::collective {

/// A payload on its way to one rank. Its memory: see Mesh::Until.
struct Outgoing {
    Rank to;
    std::span<const std::byte> bytes;
    std::size_t sent_bytes = 0;
    bool is_done = false;
};

/// Where a payload that comes goes to.
struct IntoBuffer {
    std::span<std::byte> buffer; ///< of the size that must come
};
struct IntoBytes {
    Bytes* bytes; ///< gets the size that comes
};
struct IntoReduction {
    std::span<std::byte> elements; ///< those that come are combined with these
    ElementType type;
    ReduceOp op;
};
using Sink = std::variant<IntoBuffer, IntoBytes, IntoReduction>;

struct Incoming {
    Rank from;
    Sink sink;
    std::size_t received_bytes = 0;
    bool is_done = false;
};

/// Puts the piece where it belongs. The error is the size that came in place of the one that was to come; or that pieces
/// came in a wrong order, when both are equal.
struct WrongSize {
    std::uint64_t came = 0;
    std::uint64_t expected = 0;
};
std::optional<WrongSize> accept(Incoming& incoming, const Piece& piece);

} // namespace sdfleet::collective
