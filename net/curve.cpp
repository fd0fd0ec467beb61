// SPDX-License-Identifier: Apache-2.0
#include "net/curve.hpp"

#include "net/socket_loop.hpp"

#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace sdfleet::net {

namespace {

constexpr std::size_t z85_key_length = 40;
constexpr std::size_t raw_key_length = 32;
constexpr const char* zap_endpoint = "inproc://zeromq.zap.01";

std::string to_z85(const zmq::message_t& raw)
{
    std::array<char, z85_key_length + 1> text{};
    zmq_z85_encode(text.data(), raw.data<const std::uint8_t>(), raw.size());
    return {text.data(), z85_key_length};
}

/// ZAP request: version, request id, domain, address, routing id, mechanism, credentials.
struct ZapRequest {
    static constexpr std::size_t frames = 7;
    std::string version;
    std::string request_id;
    std::string mechanism;
    std::string client_key; ///< Z85; empty when the mechanism is not CURVE
};

std::optional<ZapRequest> read_request(const std::vector<zmq::message_t>& frames)
{
    if (frames.size() < ZapRequest::frames - 1) {
        return std::nullopt;
    }
    ZapRequest request{frames[0].to_string(), frames[1].to_string(), frames[5].to_string(), ""};
    if (request.mechanism == "CURVE" && frames.size() == ZapRequest::frames && frames[6].size() == raw_key_length) {
        request.client_key = to_z85(frames[6]);
    }
    return request;
}

void reply(zmq::socket_t& socket, const ZapRequest& request, bool is_allowed)
{
    const std::array<std::string, 6> frames{"1.0",
                                            request.request_id,
                                            is_allowed ? "200" : "400",
                                            is_allowed ? "OK" : "this key is not allowed",
                                            is_allowed ? request.client_key : "",
                                            ""};
    for (std::size_t i = 0; i < frames.size(); ++i) {
        const auto more = i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none;
        socket.send(zmq::buffer(frames[i]), more);
    }
}

} // namespace

CurveKeyPair make_curve_key_pair()
{
    std::array<char, z85_key_length + 1> public_key{};
    std::array<char, z85_key_length + 1> secret_key{};
    if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0) {
        throw std::runtime_error("this ZeroMQ was built without CURVE");
    }
    return {public_key.data(), secret_key.data()};
}

std::optional<std::string> curve_public_key(const std::string& secret_key)
{
    std::array<char, z85_key_length + 1> public_key{};
    if (secret_key.size() != z85_key_length || zmq_curve_public(public_key.data(), secret_key.c_str()) != 0) {
        return std::nullopt;
    }
    return public_key.data();
}

std::optional<CurveKeyPair> curve_key_pair_from_hex(const std::string& digits)
{
    constexpr int base = 16;
    std::array<std::uint8_t, raw_key_length> raw{};
    if (digits.size() != 2 * raw.size()) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < raw.size(); ++i) {
        const char* begin = digits.data() + 2 * i;
        if (const auto [end, error] = std::from_chars(begin, begin + 2, raw[i], base); end != begin + 2) {
            return std::nullopt;
        }
    }
    std::array<char, z85_key_length + 1> secret_key{};
    zmq_z85_encode(secret_key.data(), raw.data(), raw.size());
    const auto public_key = curve_public_key(secret_key.data());
    return public_key ? std::optional(CurveKeyPair{*public_key, secret_key.data()}) : std::nullopt;
}

struct Authenticator::Impl {
    zmq::context_t& context;
    std::mutex mutex;
    std::set<std::string> allowed;
    std::atomic<bool> is_stopping = false;
    std::thread thread;

    bool is_allowed(const ZapRequest& request)
    {
        const std::lock_guard lock(mutex);
        return request.version == "1.0" && !request.client_key.empty() && allowed.contains(request.client_key);
    }

    void serve(zmq::socket_t& socket)
    {
        while (!is_stopping) {
            std::vector<zmq::message_t> frames;
            bool more = true;
            while (more) {
                zmq::message_t frame;
                if (!socket.recv(frame)) { // the receive timeout: look whether to stop
                    break;
                }
                more = frame.more();
                frames.push_back(std::move(frame));
            }
            if (const auto request = read_request(frames)) {
                reply(socket, *request, is_allowed(*request));
            }
        }
    }

    /// Whether a server socket of this context lets a client with these keys talk to it.
    bool lets_in(const CurveKeyPair& server_keys, const CurveKeyPair& client_keys)
    {
        constexpr int timeout_ms = 1000;
        zmq::socket_t server(context, zmq::socket_type::pull);
        server.set(zmq::sockopt::linger, 0);
        server.set(zmq::sockopt::rcvtimeo, timeout_ms);
        server.set(zmq::sockopt::curve_server, true);
        server.set(zmq::sockopt::curve_secretkey, server_keys.secret_key);
        server.bind("tcp://127.0.0.1:*");
        zmq::socket_t client(context, zmq::socket_type::push);
        client.set(zmq::sockopt::linger, 0);
        client.set(zmq::sockopt::curve_serverkey, server_keys.public_key);
        client.set(zmq::sockopt::curve_publickey, client_keys.public_key);
        client.set(zmq::sockopt::curve_secretkey, client_keys.secret_key);
        client.connect(server.get(zmq::sockopt::last_endpoint));
        client.send(zmq::str_buffer("x"), zmq::send_flags::dontwait);
        zmq::message_t received;
        return server.recv(received).has_value();
    }
};

Authenticator::Authenticator(Context& context, std::set<std::string> allowed_public_keys)
    : impl_(new Impl{context.impl().zmq, {}, std::move(allowed_public_keys), {}, {}})
{
    constexpr int poll_interval_ms = 250;
    zmq::socket_t socket(impl_->context, zmq::socket_type::rep);
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::rcvtimeo, poll_interval_ms);
    try {
        socket.bind(zap_endpoint);
    } catch (const zmq::error_t& error) {
        throw std::runtime_error(std::string("cannot check keys: ") + error.what());
    }
    impl_->thread = std::thread([impl = impl_.get(), socket = std::move(socket)]() mutable { impl->serve(socket); });
}

Authenticator::~Authenticator()
{
    impl_->is_stopping = true;
    {
        zmq::socket_t waker(impl_->context, zmq::socket_type::req);
        waker.set(zmq::sockopt::linger, 0);
        waker.connect(zap_endpoint);
        waker.send(zmq::str_buffer("stop"), zmq::send_flags::dontwait); // no request, but it ends the wait for one
        impl_->thread.join();
    }
}

void Authenticator::allow(std::set<std::string> public_keys)
{
    const std::lock_guard lock(impl_->mutex);
    impl_->allowed = std::move(public_keys);
}

tl::expected<void, std::string> Authenticator::self_test()
{
    const auto server = make_curve_key_pair();
    const auto friendly = make_curve_key_pair();
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->allowed.insert(friendly.public_key);
    }
    const bool lets_friend_in = impl_->lets_in(server, friendly);
    const bool lets_stranger_in = impl_->lets_in(server, make_curve_key_pair());
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->allowed.erase(friendly.public_key);
    }
    if (lets_stranger_in) {
        return tl::unexpected<std::string>("the check of keys does not work: an unknown key was let in; not listening");
    }
    if (!lets_friend_in) {
        return tl::unexpected<std::string>(
            "the check of keys does not work: a known key was turned away; not listening");
    }
    return {};
}

} // namespace sdfleet::net
