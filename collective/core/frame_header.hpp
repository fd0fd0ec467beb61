// SPDX-License-Identifier: Apache-2.0
// What stands in front of everything that ranks say to each other; proto/PROTOCOL.md, "Between ranks".
#pragma once

#include "collective/element_type.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <tl/expected.hpp>

namespace sdfleet::collective {

/// Numbers are for ever.
enum class FrameKind : std::uint8_t {
    hello = 1,   ///< root = the sender's rank, whole_bytes = its world size; body: its public key
    data = 2,    ///< a piece of an operation's payload
    credit = 3,  ///< whole_bytes more may be sent
    query = 4,   ///< what are you waiting for?
    waiting = 5, ///< the answer; body: ranks
    abort = 6,   ///< the epoch is over; body: a Notice
    leave = 7    ///< the sender is done with the group
};

/// Numbers are for ever.
enum class OperationKind : std::uint8_t {
    none = 0,
    barrier = 1,
    broadcast = 2,
    gather = 3,
    all_gather = 4,
    scatter = 5,
    message = 6, ///< send and recv; `root` is the tag
    all_reduce = 7,
    broadcast_into = 8,
    gather_into = 9,
    all_gather_into = 10,
    scatter_into = 11,
    backend_setup = 12, ///< the ranks prepare a backend for device memory
    // Before an operation on device memory: the ranks agree on it with empty payloads, its data go another way.
    device_barrier = 13,
    device_broadcast = 14,
    device_gather = 15,
    device_all_gather = 16,
    device_scatter = 17,
    device_message = 18, ///< both sides of a send; `root` is the rank that sends
    device_all_reduce = 19
};

/// Between two ranks, who find each other by their messages and not by counting operations.
constexpr bool is_between_two(OperationKind kind)
{
    return kind == OperationKind::message || kind == OperationKind::device_message;
}

constexpr bool is_on_device(OperationKind kind)
{
    return kind >= OperationKind::device_barrier;
}

/// For people: the name of the public function.
const char* to_string(OperationKind kind);

/// What must be equal on all ranks that take part in one operation. Of the k-th operation of one rank everybody else's
/// k-th is the counterpart.
struct Operation {
    OperationKind kind = OperationKind::none;
    ElementType type = ElementType::uint8;
    ReduceOp reduce = ReduceOp::sum;
    std::uint32_t root = 0;        ///< of a message: its tag
    std::uint64_t sequence = 0;    ///< counted by each rank, from 1
    std::uint64_t whole_bytes = 0; ///< of the tensors that must be of equal size; 0 for those of unequal length

    bool operator==(const Operation&) const = default;
};

struct FrameHeader {
    FrameKind kind = FrameKind::data;
    std::uint64_t epoch = 0;
    Operation operation;
    std::uint64_t payload_bytes = 0; ///< of all pieces together
    std::uint64_t offset = 0;        ///< of this piece

    bool operator==(const FrameHeader&) const = default;
};

constexpr std::size_t header_bytes = 56;
constexpr std::uint64_t max_payload_bytes = std::uint64_t{1} << 40;

std::array<std::byte, header_bytes> encode(const FrameHeader& header);

/// Takes any bytes; the error is what is wrong, for people. Of what it lets pass, every number is in its range, and the
/// piece of `body_bytes` lies within its payload.
tl::expected<FrameHeader, std::string> decode_header(std::span<const std::byte> bytes, std::size_t body_bytes);

} // namespace sdfleet::collective
