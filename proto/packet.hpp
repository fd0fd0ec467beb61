// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/blob.hpp"
#include "proto/messages.hpp"

#include <vector>

namespace sdfleet::proto {

constexpr std::size_t max_message_bytes = 24 * 1024 * 1024; ///< of envelope and body together
constexpr std::size_t max_blob_bytes = 64 * 1024 * 1024;
constexpr std::size_t max_blobs = 4;

/// What travels as one ZeroMQ multipart message: one frame with envelope and body, then a frame for each blob.
struct Packet {
    Envelope envelope; ///< its type is set from the message when it is sent
    Message message;
    std::vector<Blob> blobs;
};

} // namespace sdfleet::proto
