// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/messages.hpp"

#include <cstddef>
#include <span>
#include <string>

#include <tl/expected.hpp>

namespace sdfleet::proto {

struct DecodeError {
    enum class Kind {
        too_large,           ///< above max_message_bytes
        malformed,           ///< not msgpack, cut short, or nested or sized beyond the limits
        wrong_type,          ///< a member is not of its type, or an enumerator is not known
        unknown_message,     ///< no such message number
        unsupported_version, ///< outside what we speak; a hello never fails so
        trailing_bytes
    };
    Kind kind = Kind::malformed;
    std::string message; ///< for people and logs

    bool operator==(const DecodeError&) const = default;
};

struct Decoded {
    Envelope envelope;
    Message message;
};

/// Envelope and body, one after the other, each a msgpack map. The envelope's type is taken from the message.
std::string encode(const Envelope& envelope, const Message& message);

/// The same into a string that has room already.
void append_encoded(std::string& bytes, Envelope envelope, const Message& message);

/// Takes any bytes. Limits nesting and sizes before it allocates. Unknown keys are ignored and missing ones keep their
/// defaults, so that a peer of the neighbouring version is understood. Hello and refusal decode at every version, so
/// that versions can be negotiated and a refusal be read.
tl::expected<Decoded, DecodeError> decode(std::span<const std::byte> bytes);

} // namespace sdfleet::proto
