// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/context.hpp"
#include "net/curve.hpp"
#include "net/options.hpp"
#include "proto/codec.hpp"
#include "proto/packet.hpp"

#include <compare>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>
#include <tl/expected.hpp>

namespace sdfleet::net {

/// The name ZeroMQ gives a connection; arbitrary bytes, good for a map's key and to answer to.
struct PeerId {
    std::string bytes;
    /// The public key that the peer proved to have, on a router with CURVE; empty elsewhere. Sending does not look at it.
    std::string public_key = {};

    auto operator<=>(const PeerId&) const = default;
};

enum class SendError {
    would_block, ///< the peer, or the network to it, does not take more now: the message was not sent
    unreachable, ///< no such peer is connected
    too_large    ///< beyond the protocol's limits: never sent
};

/// For people and logs.
const char* to_string(SendError error);

using SendResult = tl::expected<void, SendError>;

/// A bind or connect that cannot work (bad endpoint, address in use): one line for people.
using EndpointResult = tl::expected<std::string, std::string>;

struct RouterHandlers {
    std::function<void(PeerId, proto::Packet)> on_packet;
    std::function<void(PeerId, proto::DecodeError)> on_garbage; ///< the peer sent what is not our protocol
};

struct DealerHandlers {
    /// The connection is up, or up again, or a full queue drained: send() takes messages now. The moment to say hello.
    std::function<void()> on_writable;
    std::function<void(proto::Packet)> on_packet;
    std::function<void(proto::DecodeError)> on_garbage;
};

/// The listening side: many peers, each with a bounded queue of its own. Not thread-safe: all calls and all handlers on
/// the io_context's one thread. A send that succeeded is not delivered, only taken (ZeroMQ promises no more).
class RouterSocket {
public:
    /// With CURVE keys the socket talks to nobody whom the context's Authenticator does not allow.
    RouterSocket(Context& context, boost::asio::io_context& io, SocketLimits limits = {},
                 const std::optional<CurveServer>& curve = std::nullopt);
    ~RouterSocket();

    /// Returns the endpoint bound, with the port in place of a wildcard. "tcp://127.0.0.1:*" lets the system choose.
    EndpointResult bind(const std::string& endpoint);

    /// Handlers are called from the io_context until the socket is destroyed. Call once, after bind.
    void start(RouterHandlers handlers);

    SendResult send(const PeerId& peer, const proto::Packet& packet);

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

/// The dialling side. Connects in the background and again whenever the connection is lost; while there is none, send()
/// says would_block rather than queueing what would arrive stale.
class DealerSocket {
public:
    DealerSocket(Context& context, boost::asio::io_context& io, SocketLimits limits = {},
                 const std::optional<CurveClient>& curve = std::nullopt);
    ~DealerSocket();

    EndpointResult connect(const std::string& endpoint);

    /// Drops the connection to `endpoint`, if there is one, and dials anew. ZeroMQ does that by itself when a connection is
    /// lost, but not when the peer refused the handshake (an unknown key, not our protocol).
    EndpointResult redial(const std::string& endpoint);

    void start(DealerHandlers handlers);
    SendResult send(const proto::Packet& packet);

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

} // namespace sdfleet::net
