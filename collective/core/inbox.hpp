// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/core/frame_header.hpp"
#include "proto/blob.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <utility>

namespace sdfleet::collective {

/// Payloads travel in pieces of at most this size; a multiple of every element's size.
constexpr std::size_t max_piece_bytes = 1u << 20;

/// How much one rank may have on its way to another that has not taken it yet: pieces and, for each, its overhead. So
/// much memory, at most, holds what a fast rank sends ahead of a slow one.
constexpr std::size_t window_bytes = 64u << 20;
constexpr std::size_t piece_overhead_bytes = 16u << 10;

constexpr std::size_t cost_of(std::size_t piece_bytes)
{
    return piece_bytes + piece_overhead_bytes;
}

struct Piece {
    FrameHeader header;
    proto::Blob payload;
};

/// What one peer has sent and no operation has taken yet. The pieces of collective operations are taken in the order in
/// which they came; those of messages in their order for each tag.
class Inbox {
public:
    /// False when the peer has sent more than its window allows: it does not keep to the protocol.
    [[nodiscard]] bool put(Piece piece);

    /// The next piece for an operation of this kind (of a message: with its tag); null when there is none.
    const Piece* front(const Operation& operation) const;

    /// Takes the piece that front() shows.
    Piece take(const Operation& operation);

private:
    /// Those for device memory are one sequence of their own.
    using MessageKey = std::pair<OperationKind, std::uint32_t>;
    static MessageKey key_of(const Operation& message);

    std::deque<Piece> collective_;
    std::map<MessageKey, std::deque<Piece>> messages_; ///< without empty ones
    std::size_t held_bytes_ = 0;
};

} // namespace sdfleet::collective
