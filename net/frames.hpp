// SPDX-License-Identifier: Apache-2.0
// Internal to net/: packets as ZeroMQ frames, without copying images.
#pragma once

#include "net/socket_loop.hpp"
#include "proto/codec.hpp"
#include "proto/packet.hpp"

#include <span>

#include <tl/expected.hpp>

namespace sdfleet::net {

/// Appends the packet's frames; refuses what the receiver would refuse, because ZeroMQ would only cut the connection.
SendResult append_frames(Frames& frames, const proto::Packet& packet);

/// Reads a packet from all frames that follow the routing id. The packet's blobs keep their frames' memory alive.
tl::expected<proto::Packet, proto::DecodeError> read_packet(std::span<zmq::message_t> frames);

} // namespace sdfleet::net
