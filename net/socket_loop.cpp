// SPDX-License-Identifier: Apache-2.0
#include "net/socket_loop.hpp"

#include "proto/packet.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <boost/asio/post.hpp>

namespace sdfleet::net {

namespace {

constexpr int messages_per_batch = 64;

void set_options(zmq::socket_t& socket, zmq::socket_type type, const SocketLimits& limits)
{
    constexpr int reconnect_interval_ms = 50;
    constexpr int reconnect_interval_max_ms = 2000;
    constexpr int handshake_interval_ms = 5000;
    socket.set(zmq::sockopt::linger, limits.linger_ms);
    socket.set(zmq::sockopt::sndhwm, limits.send_high_water_mark);
    socket.set(zmq::sockopt::rcvhwm, limits.receive_high_water_mark);
    socket.set(zmq::sockopt::handshake_ivl, handshake_interval_ms);
    socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(proto::max_blob_bytes));
    if (type == zmq::socket_type::router) {
        // Without it a message to a peer that left would vanish while send() reports success.
        socket.set(zmq::sockopt::router_mandatory, true);
        constexpr int keepalive_idle_s = 5;
        constexpr int keepalive_interval_s = 2;
        constexpr int keepalive_probes = 3;
        constexpr int unacknowledged_max_ms = 10'000;
        socket.set(zmq::sockopt::tcp_keepalive, 1);
        socket.set(zmq::sockopt::tcp_keepalive_idle, keepalive_idle_s);
        socket.set(zmq::sockopt::tcp_keepalive_intvl, keepalive_interval_s);
        socket.set(zmq::sockopt::tcp_keepalive_cnt, keepalive_probes);
        socket.set(zmq::sockopt::tcp_maxrt, unacknowledged_max_ms);
    } else {
        // Only the dialling side asks whether the other is there; the listener, which may have thousands of connections, would
        // search its timers with every answer. It learns of dead hosts and cut cables from the kernel.
        socket.set(zmq::sockopt::heartbeat_ivl, limits.heartbeat_interval_ms);
        socket.set(zmq::sockopt::heartbeat_timeout, limits.heartbeat_timeout_ms);
        socket.set(zmq::sockopt::heartbeat_ttl, limits.heartbeat_timeout_ms);
        // Without it messages would queue for a coordinator that is away, and arrive stale.
        socket.set(zmq::sockopt::immediate, true);
        socket.set(zmq::sockopt::reconnect_ivl, reconnect_interval_ms);
        socket.set(zmq::sockopt::reconnect_ivl_max, reconnect_interval_max_ms);
    }
}

} // namespace

SocketLoop::SocketLoop(Context& context, boost::asio::io_context& io, zmq::socket_type type, const SocketLimits& limits)
    : io_(io), socket_(context.impl().zmq, type), descriptor_(io)
{
    set_options(socket_, type, limits);
}

SocketLoop::~SocketLoop()
{
    stop();
}

void SocketLoop::start(Callbacks callbacks)
{
    callbacks_ = std::move(callbacks);
    descriptor_.assign(socket_.get(zmq::sockopt::fd));
    is_running_ = true;
    drain_soon();
}

void SocketLoop::stop()
{
    is_running_ = false;
    if (descriptor_.is_open()) {
        descriptor_.release(); // the descriptor belongs to ZeroMQ, which closes it with the socket
    }
}

SendResult SocketLoop::send(Frames frames)
{
    for (std::size_t i = 0; i < frames.size(); ++i) {
        const auto more = i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none;
        try {
            // Only the first frame can be refused; the others follow it into the same queue.
            if (!socket_.send(frames[i], more | zmq::send_flags::dontwait)) {
                was_writable_ = false;
                drain_soon();
                return tl::unexpected(SendError::would_block);
            }
        } catch (const zmq::error_t&) { // EHOSTUNREACH; anything else means that the peer is as good as gone
            drain_soon();
            return tl::unexpected(SendError::unreachable);
        }
    }
    drain_soon(); // the send may have taken the edge that announced an incoming message
    return {};
}

void SocketLoop::note_new_connection()
{
    was_writable_ = false;
    drain_soon();
}

void SocketLoop::wait()
{
    if (is_waiting_) {
        return; // every send ends here: a wait for each would pile up on a socket that only sends
    }
    is_waiting_ = true;
    descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [weak = weak_from_this()](const boost::system::error_code& error) {
                               const auto self = weak.lock();
                               if (!self) {
                                   return;
                               }
                               self->is_waiting_ = false;
                               if (!error && self->is_running_) {
                                   self->drain();
                               }
                           });
}

void SocketLoop::drain_soon()
{
    if (!is_running_ || is_drain_posted_ || is_draining_) {
        return;
    }
    is_drain_posted_ = true;
    boost::asio::post(io_, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) {
            self->is_drain_posted_ = false;
            if (self->is_running_) {
                self->drain();
            }
        }
    });
}

void SocketLoop::drain()
{
    const auto self = shared_from_this(); // a handler may drop the last other reference
    is_draining_ = true;
    const bool is_dry = take_batch();
    is_draining_ = false;
    if (is_dry) {
        wait();
    } else {
        drain_soon();
    }
}

/// True when the state, read after the last message and the last send, says that there is nothing more. Asking for the
/// state is a system call or two; the second message and those after it are taken without.
bool SocketLoop::take_batch()
{
    for (int i = 0; i < messages_per_batch && is_running_;) {
        const int events = read_events();
        const bool is_writable = (events & ZMQ_POLLOUT) != 0;
        const bool became_writable = is_writable && !was_writable_;
        was_writable_ = is_writable;
        if (became_writable && callbacks_.on_writable) {
            callbacks_.on_writable();
            ++i;
            continue;
        }
        if ((events & ZMQ_POLLIN) == 0) {
            return true;
        }
        const int alone = i == 0 ? 1 : messages_per_batch;
        for (int taken = 0; taken < alone && i < messages_per_batch && is_running_; ++taken, ++i) {
            auto frames = receive();
            if (!frames) {
                ++i;
                break;
            }
            callbacks_.on_message(std::move(*frames));
        }
    }
    return false;
}

int SocketLoop::read_events()
{
    return socket_.get(zmq::sockopt::events);
}

std::optional<Frames> SocketLoop::receive()
{
    Frames frames;
    bool more = true;
    while (more) {
        zmq::message_t frame;
        try {
            if (!socket_.recv(frame, zmq::recv_flags::dontwait)) {
                return std::nullopt;
            }
        } catch (const zmq::error_t&) { // EINTR and the like: the next wake-up tries again
            return std::nullopt;
        }
        more = frame.more();
        // A peer that sends endless parts must not fill the memory; one frame too many is kept so that the reader sees it.
        if (frames.size() <= proto::max_blobs + 2) {
            frames.push_back(std::move(frame));
        }
    }
    return frames;
}

} // namespace sdfleet::net
