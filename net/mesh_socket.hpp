// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/curve.hpp"
#include "net/socket.hpp"
#include "proto/blob.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <tl/expected.hpp>

namespace sdfleet::net {

struct MeshLimits {
    int receive_high_water_mark =
        4'000; ///< messages waiting to be read, a connection; its sender is made to wait beyond
    std::size_t max_frame_bytes = 64u << 20; ///< a peer that sends more is cut off
    int heartbeat_interval_ms = 500;         ///< on tcp://, against dead hosts and cut cables
    int heartbeat_timeout_ms = 5'000;
};

/// One member's end of all its connections to the others of a group: it listens and dials. Has a ZeroMQ context of its
/// own. Not for Asio: the caller has its own loop around receive() and wait(). Not
/// thread-safe, but may be handed from thread to thread under a lock. Sending never blocks and knows no bound: the caller
/// counts.
class MeshSocket {
public:
    struct Message {
        PeerId peer;
        proto::Blob header;
        proto::Blob payload; ///< empty when the peer sent one frame
    };
    /// Where a message came from.
    struct Origin {
        int connection = -1;      ///< as `Ended::connection`
        bool is_own_user = false; ///< over ipc://, from a process of the user that this process has
        std::string public_key;   ///< proven by CURVE; empty when there is none
    };
    /// A connection, or an attempt at one, that came to its end.
    struct Ended {
        enum class How { lost, refused };
        How how = How::lost;
        int connection = -1; ///< lost: everything that the peer had sent over it can be received by now
        std::string
            endpoint; ///< refused: what was dialled, when the other side did not let us in. It is not dialled again
    };

    explicit MeshSocket(MeshLimits limits = {});
    /// What was sent leaves within 1 s, or not at all; see close().
    ~MeshSocket();

    /// ipc://, without keys: the path must be in a folder that others cannot enter.
    EndpointResult listen_private(const std::string& path);

    /// tcp:// at a port that the system chooses. Lets in nobody until allow().
    EndpointResult listen(const std::string& address, const CurveKeyPair& keys);

    /// The public keys of those whom listen() lets in.
    void allow(std::set<std::string> public_keys);

    /// Connects in the background. What is sent to the name that comes back waits until it is connected.
    tl::expected<PeerId, std::string> dial(const std::string& endpoint, const std::optional<CurveClient>& curve);

    /// Copies both.
    SendResult send(const PeerId& peer, std::span<const std::byte> header, std::span<const std::byte> payload = {});

    /// The payload is not copied: it must stay as it is until lent() is 0.
    SendResult send_lent(const PeerId& peer, std::span<const std::byte> header, std::span<const std::byte> payload);

    /// Passes on a payload that was received, without a copy.
    SendResult forward(const PeerId& peer, std::span<const std::byte> header, const proto::Blob& payload);

    /// Payloads of send_lent() that ZeroMQ still reads.
    std::size_t lent() const;

    /// Nothing when there is none now.
    std::optional<Message> receive();
    static Origin origin_of(const Message& message);

    /// Connections that ended since the last call. Receive what is there afterwards, before judging.
    std::vector<Ended> take_ended();

    /// Until something may have changed (a message, an end, lent() is 0), `wake_up` is readable, or the time is over. To be
    /// called only when receive() and take_ended() gave nothing and nothing was sent since.
    void wait(int wake_up, std::chrono::nanoseconds timeout);

    /// Ends all connections; gives what was sent so long to leave. Afterwards lent() is 0, and nothing else may be called.
    void close(std::chrono::milliseconds linger);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace sdfleet::net
