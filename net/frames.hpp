// SPDX-License-Identifier: Apache-2.0
// Internal to net/: packets as ZeroMQ frames, without copying images.
#pragma once

#include "net/blob_budget.hpp"
#include "net/socket_loop.hpp"
#include "proto/codec.hpp"
#include "proto/packet.hpp"

#include <span>

#include <tl/expected.hpp>

namespace sdfleet::net {

/// Appends the packet's frames; refuses what the receiver would refuse, because ZeroMQ would only cut the connection.
/// `waiting`, if there is one, holds the size of the packet's blobs from now until ZeroMQ lets them go.
SendResult append_frames(Frames& frames, const proto::Packet& packet, const BlobBudget::Counter& waiting = nullptr);

/// Reads a packet from all frames that follow the routing id. The packet's blobs keep their frames' memory alive.
tl::expected<proto::Packet, proto::DecodeError> read_packet(std::span<zmq::message_t> frames);

} // namespace sdfleet::net
