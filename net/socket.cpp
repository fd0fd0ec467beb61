// SPDX-License-Identifier: Apache-2.0
#include "net/socket.hpp"

#include "net/frames.hpp"
#include "net/socket_loop.hpp"

#include <utility>

namespace sdfleet::net {

struct RouterSocket::Impl {
    std::shared_ptr<SocketLoop> loop;
    RouterHandlers handlers;
    BlobBudget budget;
};

struct DealerSocket::Impl {
    std::shared_ptr<SocketLoop> loop;
    DealerHandlers handlers;
};

const char* to_string(SendError error)
{
    switch (error) {
    case SendError::would_block:
        return "the peer does not take more messages now";
    case SendError::unreachable:
        return "the peer is not connected";
    case SendError::too_large:
        return "the message is larger than the protocol allows";
    }
    return "";
}

RouterSocket::RouterSocket(Context& context, boost::asio::io_context& io, SocketLimits limits,
                           const std::optional<CurveServer>& curve)
    : impl_(std::make_shared<Impl>(nullptr, RouterHandlers{}, BlobBudget(limits.send_blob_bytes)))
{
    impl_->loop = std::make_shared<SocketLoop>(context, io, zmq::socket_type::router, limits);
    if (curve) {
        auto& socket = impl_->loop->socket();
        socket.set(zmq::sockopt::curve_server, true);
        socket.set(zmq::sockopt::curve_secretkey, curve->keys.secret_key);
    }
}

RouterSocket::~RouterSocket()
{
    impl_->loop->stop();
}

EndpointResult RouterSocket::bind(const std::string& endpoint)
{
    try {
        impl_->loop->socket().bind(endpoint);
        return impl_->loop->socket().get(zmq::sockopt::last_endpoint);
    } catch (const zmq::error_t& error) {
        return tl::unexpected("cannot listen on " + endpoint + ": " + error.what());
    }
}

void RouterSocket::start(RouterHandlers handlers)
{
    impl_->handlers = std::move(handlers);
    const std::weak_ptr<Impl> weak = impl_;
    impl_->loop->start({[weak](Frames frames) {
                            const auto impl = weak.lock();
                            if (!impl || frames.empty()) {
                                return;
                            }
                            PeerId peer{frames[0].to_string()};
                            // Set by the Authenticator; cppzmq's gets() throws where there is none.
                            if (const char* key = ::zmq_msg_gets(frames[1 % frames.size()].handle(), "User-Id")) {
                                peer.public_key = key;
                            }
                            auto packet = read_packet(std::span(frames).subspan(1));
                            if (packet) {
                                impl->handlers.on_packet(std::move(peer), std::move(*packet));
                            } else {
                                impl->handlers.on_garbage(std::move(peer), std::move(packet.error()));
                            }
                        },
                        nullptr});
}

SendResult RouterSocket::send(const PeerId& peer, const proto::Packet& packet)
{
    BlobBudget::Counter waiting;
    if (!packet.blobs.empty()) {
        std::size_t bytes = 0;
        for (const auto& blob : packet.blobs) {
            bytes += blob.bytes.size();
        }
        waiting = impl_->budget.ask(peer.bytes, bytes);
        if (!waiting) {
            return tl::unexpected(SendError::would_block);
        }
    }
    Frames frames;
    frames.emplace_back(peer.bytes.data(), peer.bytes.size());
    if (auto appended = append_frames(frames, packet, waiting); !appended) {
        return appended;
    }
    return impl_->loop->send(std::move(frames));
}

DealerSocket::DealerSocket(Context& context, boost::asio::io_context& io, SocketLimits limits,
                           const std::optional<CurveClient>& curve)
    : impl_(std::make_shared<Impl>())
{
    impl_->loop = std::make_shared<SocketLoop>(context, io, zmq::socket_type::dealer, limits);
    if (curve) {
        auto& socket = impl_->loop->socket();
        socket.set(zmq::sockopt::curve_serverkey, curve->server_public_key);
        socket.set(zmq::sockopt::curve_publickey, curve->keys.public_key);
        socket.set(zmq::sockopt::curve_secretkey, curve->keys.secret_key);
    }
}

DealerSocket::~DealerSocket()
{
    impl_->loop->stop();
}

EndpointResult DealerSocket::connect(const std::string& endpoint)
{
    try {
        if (endpoint.starts_with("ipc://")) {
            // The kernel tells when the other process ends. One that only stands still must find its messages when it goes on.
            impl_->loop->socket().set(zmq::sockopt::heartbeat_ivl, 0);
        }
        impl_->loop->socket().connect(endpoint);
        return endpoint;
    } catch (const zmq::error_t& error) {
        return tl::unexpected("cannot connect to " + endpoint + ": " + error.what());
    }
}

EndpointResult DealerSocket::redial(const std::string& endpoint)
{
    try {
        impl_->loop->socket().disconnect(endpoint);
    } catch (const zmq::error_t&) { // ZeroMQ dropped it already
    }
    auto connected = connect(endpoint);
    impl_->loop->note_new_connection();
    return connected;
}

void DealerSocket::start(DealerHandlers handlers)
{
    impl_->handlers = std::move(handlers);
    const std::weak_ptr<Impl> weak = impl_;
    impl_->loop->start({[weak](Frames frames) {
                            const auto impl = weak.lock();
                            if (!impl) {
                                return;
                            }
                            auto packet = read_packet(frames);
                            if (packet) {
                                impl->handlers.on_packet(std::move(*packet));
                            } else {
                                impl->handlers.on_garbage(std::move(packet.error()));
                            }
                        },
                        [weak] {
                            const auto impl = weak.lock();
                            if (impl && impl->handlers.on_writable) {
                                impl->handlers.on_writable();
                            }
                        }});
}

SendResult DealerSocket::send(const proto::Packet& packet)
{
    Frames frames;
    if (auto appended = append_frames(frames, packet); !appended) {
        return appended;
    }
    return impl_->loop->send(std::move(frames));
}

} // namespace sdfleet::net
