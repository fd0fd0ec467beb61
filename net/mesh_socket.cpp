// SPDX-License-Identifier: Apache-2.0
#include "net/mesh_socket.hpp"

#include "base/unique_fd.hpp"
#include "net/socket_loop.hpp"

#include <array>
#include <atomic>
#include <cstring>
#include <map>

#include <poll.h>
#include <sys/eventfd.h>

namespace sdfleet::net {

namespace {

constexpr int linger_ms = 1'000;
constexpr const char* monitor_endpoint = "inproc://mesh-monitor";

/// Payloads that ZeroMQ reads from the caller's memory.
struct Lent {
    std::atomic<std::size_t> count = 0;
    base::UniqueFd all_back{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
};

/// ZeroMQ calls this on its own thread.
void give_back(void* /*data*/, void* hint)
{
    auto* lent = static_cast<Lent*>(hint);
    if (--lent->count == 0) {
        constexpr std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(lent->all_back.get(), &one, sizeof one);
    }
}

void keep_owner(void* /*data*/, void* hint)
{
    delete static_cast<std::shared_ptr<const void>*>(hint);
}

proto::Blob blob_of(zmq::message_t frame)
{
    auto owner = std::make_shared<zmq::message_t>(std::move(frame));
    const auto bytes = std::span(owner->data<const std::byte>(), owner->size());
    return {std::move(owner), bytes};
}

zmq::message_t copy_of(std::span<const std::byte> bytes)
{
    return {bytes.data(), bytes.size()};
}

} // namespace

struct MeshSocket::Impl {
    MeshLimits limits;
    Lent lent; ///< outlives the context, whose threads use it
    Context context;
    std::optional<Authenticator> authenticator; ///< goes before the context, after the socket
    zmq::socket_t socket{context.impl().zmq, zmq::socket_type::router};
    zmq::socket_t monitor{context.impl().zmq, zmq::socket_type::pair};
    int socket_fd = socket.get(zmq::sockopt::fd);
    int monitor_fd = monitor.get(zmq::sockopt::fd);
    std::uint32_t dialled = 0;
    std::set<std::string> dialled_endpoints;

    ~Impl() { stop_monitor(); }

    /// Before its reader goes: a monitor without one would make ZeroMQ's thread wait for ever.
    void stop_monitor()
    {
        if (socket.handle() != nullptr) {
            zmq_socket_monitor(socket.handle(), nullptr, 0);
        }
        monitor.close();
    }

    /// Sockets copy these when they listen or dial.
    void set_heartbeats(bool are_wanted)
    {
        socket.set(zmq::sockopt::heartbeat_ivl, are_wanted ? limits.heartbeat_interval_ms : 0);
        socket.set(zmq::sockopt::heartbeat_timeout, are_wanted ? limits.heartbeat_timeout_ms : 0);
    }

    /// An attempt to connect that failed, and what was to be sent over it.
    void forget(const std::string& endpoint)
    {
        socket.set(zmq::sockopt::linger, 0);
        try {
            socket.disconnect(endpoint);
        } catch (const zmq::error_t&) { // ZeroMQ has forgotten it already
        }
        socket.set(zmq::sockopt::linger, linger_ms);
    }

    SendResult send(const PeerId& peer, std::span<const std::byte> header, zmq::message_t* payload)
    {
        using zmq::send_flags;
        try {
            const auto more = send_flags::sndmore | send_flags::dontwait;
            if (!socket.send(zmq::const_buffer(peer.bytes.data(), peer.bytes.size()), more)) {
                return tl::unexpected(SendError::would_block);
            }
            socket.send(zmq::const_buffer(header.data(), header.size()),
                        payload != nullptr ? more : send_flags::dontwait);
            if (payload != nullptr) {
                socket.send(*payload, send_flags::dontwait);
            }
        } catch (const zmq::error_t&) { // EHOSTUNREACH
            return tl::unexpected(SendError::unreachable);
        }
        return {};
    }
};

MeshSocket::MeshSocket(MeshLimits limits) : impl_(std::make_unique<Impl>())
{
    constexpr int handshake_interval_ms = 10'000;
    constexpr int backlog = 4'096;
    impl_->limits = limits;
    auto& socket = impl_->socket;
    socket.set(zmq::sockopt::linger, linger_ms);
    socket.set(zmq::sockopt::sndhwm, 0);
    socket.set(zmq::sockopt::rcvhwm, limits.receive_high_water_mark);
    socket.set(zmq::sockopt::router_mandatory, true);
    socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(limits.max_frame_bytes));
    socket.set(zmq::sockopt::handshake_ivl, handshake_interval_ms);
    // Who is gone does not come back. But with "never", ZeroMQ would throw away what had come before the end.
    constexpr int never_ms = 24 * 3'600'000;
    socket.set(zmq::sockopt::reconnect_ivl, never_ms);
    socket.set(zmq::sockopt::backlog, backlog);
    impl_->monitor.set(zmq::sockopt::linger, 0);
    impl_->monitor.set(zmq::sockopt::rcvhwm, 0); // ZeroMQ's thread must never wait for us to read an event
    constexpr int events = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                           ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
    if (zmq_socket_monitor(socket.handle(), monitor_endpoint, events) != 0) {
        throw zmq::error_t();
    }
    impl_->monitor.connect(monitor_endpoint);
}

MeshSocket::~MeshSocket() = default;

EndpointResult MeshSocket::listen_private(const std::string& path)
{
    try {
        impl_->set_heartbeats(false); // the kernel tells when the other process ends
        impl_->socket.set(zmq::sockopt::curve_server, false);
        impl_->socket.bind("ipc://" + path);
        return "ipc://" + path;
    } catch (const zmq::error_t& error) {
        return tl::unexpected("cannot listen on ipc://" + path + ": " + error.what());
    }
}

EndpointResult MeshSocket::listen(const std::string& address, const CurveKeyPair& keys)
{
    const auto endpoint = "tcp://" + address + ":*";
    try {
        if (!impl_->authenticator) {
            impl_->authenticator.emplace(impl_->context, std::set<std::string>{});
        }
        impl_->set_heartbeats(true);
        impl_->socket.set(zmq::sockopt::curve_server, true);
        impl_->socket.set(zmq::sockopt::curve_secretkey, keys.secret_key);
        impl_->socket.bind(endpoint);
        return impl_->socket.get(zmq::sockopt::last_endpoint);
    } catch (const std::exception& error) {
        return tl::unexpected("cannot listen on " + endpoint + ": " + error.what());
    }
}

void MeshSocket::allow(std::set<std::string> public_keys)
{
    if (impl_->authenticator) {
        impl_->authenticator->allow(std::move(public_keys));
    }
}

tl::expected<PeerId, std::string> MeshSocket::dial(const std::string& endpoint, const std::optional<CurveClient>& curve)
{
    // A name that nobody else can guess: ZeroMQ does not survive one that a peer has taken before.
    PeerId name{"d" + std::to_string(impl_->dialled++) + " " + make_curve_key_pair().public_key};
    auto& socket = impl_->socket;
    try {
        impl_->set_heartbeats(curve.has_value());
        socket.set(zmq::sockopt::curve_server, false);
        if (curve) {
            socket.set(zmq::sockopt::curve_serverkey, curve->server_public_key);
            socket.set(zmq::sockopt::curve_publickey, curve->keys.public_key);
            socket.set(zmq::sockopt::curve_secretkey, curve->keys.secret_key);
        }
        if (!impl_->dialled_endpoints.insert(endpoint).second) {
            impl_->forget(endpoint);
        }
        socket.set(zmq::sockopt::connect_routing_id, name.bytes);
        socket.connect(endpoint);
    } catch (const zmq::error_t& error) {
        return tl::unexpected("cannot connect to " + endpoint + ": " + error.what());
    }
    return name;
}

SendResult MeshSocket::send(const PeerId& peer, std::span<const std::byte> header, std::span<const std::byte> payload)
{
    if (payload.empty()) {
        return impl_->send(peer, header, nullptr);
    }
    auto frame = copy_of(payload);
    return impl_->send(peer, header, &frame);
}

SendResult MeshSocket::send_lent(const PeerId& peer, std::span<const std::byte> header,
                                 std::span<const std::byte> payload)
{
    ++impl_->lent.count;
    // ZeroMQ takes a mutable pointer but only reads what it sends.
    zmq::message_t frame(const_cast<std::byte*>(payload.data()), payload.size(), give_back, &impl_->lent);
    return impl_->send(peer, header, &frame);
}

SendResult MeshSocket::forward(const PeerId& peer, std::span<const std::byte> header, const proto::Blob& payload)
{
    auto owner = std::make_unique<std::shared_ptr<const void>>(payload.owner);
    zmq::message_t frame(const_cast<std::byte*>(payload.bytes.data()), payload.bytes.size(), keep_owner,
                         owner.release());
    return impl_->send(peer, header, &frame);
}

std::size_t MeshSocket::lent() const
{
    return impl_->lent.count;
}

std::optional<MeshSocket::Message> MeshSocket::receive()
{
    constexpr std::size_t frames_of_ours = 3; // name, header, payload
    while (true) {
        std::array<zmq::message_t, frames_of_ours> frames;
        std::size_t count = 0;
        bool more = true;
        while (more) {
            zmq::message_t frame;
            try {
                if (!impl_->socket.recv(frame, zmq::recv_flags::dontwait)) {
                    return std::nullopt;
                }
            } catch (const zmq::error_t&) { // EINTR: the next wake-up tries again
                return std::nullopt;
            }
            more = frame.more();
            if (count < frames_of_ours) {
                frames[count] = std::move(frame);
            }
            ++count;
        }
        if (count < 2 || count > frames_of_ours) {
            continue; // nobody of ours sends that
        }
        Message message{{frames[0].to_string()}, blob_of(std::move(frames[1])), {}};
        if (count == frames_of_ours) {
            message.payload = blob_of(std::move(frames[2]));
        }
        return message;
    }
}

MeshSocket::Origin MeshSocket::origin_of(const Message& message)
{
    const auto& frame = *static_cast<const zmq::message_t*>(message.header.owner.get());
    const auto property = [&](const char* name) -> std::string {
        const char* value = zmq_msg_gets(frame.handle(), name);
        return value != nullptr ? value : "";
    };
    // Over ipc:// the kernel vouches for the peer: "localhost:USER:GROUP:PROCESS".
    const auto own_user = "localhost:" + std::to_string(::getuid()) + ":";
    return {zmq_msg_get(frame.handle(), ZMQ_SRCFD), property("Peer-Address").starts_with(own_user),
            property("User-Id")};
}

std::vector<MeshSocket::Ended> MeshSocket::take_ended()
{
    std::vector<Ended> ended;
    zmq::message_t event;
    zmq::message_t endpoint;
    while (impl_->monitor.recv(event, zmq::recv_flags::dontwait) && impl_->monitor.recv(endpoint)) {
        std::uint16_t kind = 0;
        std::uint32_t value = 0;
        std::memcpy(&kind, event.data(), sizeof kind);
        std::memcpy(&value, event.data<const std::byte>() + sizeof kind, sizeof value);
        if (kind == ZMQ_EVENT_DISCONNECTED) {
            ended.push_back({Ended::How::lost, static_cast<int>(value), endpoint.to_string()});
        } else {
            ended.push_back({Ended::How::refused, -1, endpoint.to_string()});
        }
    }
    return ended;
}

void MeshSocket::wait(int wake_up, std::chrono::nanoseconds timeout)
{
    const int all_back = impl_->lent.all_back.get();
    std::array<pollfd, 4> polled{
        {{impl_->socket_fd, POLLIN, 0}, {impl_->monitor_fd, POLLIN, 0}, {all_back, POLLIN, 0}, {wake_up, POLLIN, 0}}};
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
    const timespec span{static_cast<time_t>(seconds.count()), static_cast<long>((timeout - seconds).count())};
    ::ppoll(polled.data(), polled.size(), &span, nullptr);
    if (polled[2].revents != 0) {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto emptied = ::read(all_back, &count, sizeof count);
    }
}

void MeshSocket::close(std::chrono::milliseconds linger)
{
    impl_->socket.set(zmq::sockopt::linger, static_cast<int>(linger.count()));
    impl_->stop_monitor();
    impl_->socket.close();
    impl_->authenticator.reset();
    impl_->context.impl().zmq.close(); // waits for ZeroMQ's threads to let go of everything
}

} // namespace sdfleet::net
