// SPDX-License-Identifier: Apache-2.0
// Internal to net/: one ZeroMQ socket driven by Asio.
#pragma once

#include "net/options.hpp"
#include "net/socket.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <zmq.hpp>

namespace sdfleet::net {

struct Context::Impl {
    zmq::context_t zmq{1};
};

using Frames = std::vector<zmq::message_t>;

/// ZeroMQ's file descriptor is edge-triggered and tells only that the socket's state may have changed, so: read the
/// state after every wake-up, every send and every batch, take messages until there are none, and only then wait.
/// A long batch yields to the io_context so that one chatty socket cannot starve the others.
class SocketLoop : public std::enable_shared_from_this<SocketLoop> {
public:
    struct Callbacks {
        std::function<void(Frames)> on_message;
        std::function<void()> on_writable;
    };

    SocketLoop(Context& context, boost::asio::io_context& io, zmq::socket_type type, const SocketLimits& limits);
    ~SocketLoop();

    zmq::socket_t& socket() { return socket_; }
    void start(Callbacks callbacks);
    void stop();

    /// on_writable is called once the new connection is up, also if the old one was.
    void note_new_connection();

    /// All frames or none.
    SendResult send(Frames frames);

private:
    void wait();
    void drain();
    void drain_soon();
    bool take_batch();
    std::optional<Frames> receive();
    int read_events();

    boost::asio::io_context& io_;
    zmq::socket_t socket_;
    boost::asio::posix::stream_descriptor descriptor_;
    Callbacks callbacks_;
    bool is_running_ = false;
    bool is_drain_posted_ = false;
    bool is_draining_ = false; ///< the state is read at its end: what asks for that meanwhile has it
    bool is_waiting_ = false;
    bool was_writable_ = false;
};

} // namespace sdfleet::net
