// SPDX-License-Identifier: Apache-2.0
#include "client/connection.hpp"

#include "client/request_error.hpp"
#include "net/dial_key.hpp"

#include <algorithm>
#include <utility>

namespace sdfleet::client {

namespace {

using namespace std::chrono_literals;

constexpr auto hello_interval = 1s; ///< an unanswered hello is said again
constexpr auto redial_delay = 2s;   ///< unanswered for so long, it is dialled anew; doubles each time
constexpr auto slice = 50ms;        ///< how soon an interruption is noticed
constexpr auto answer_time = 5s;    ///< an unanswered request is sent again, beyond what it may wait itself

std::string seconds(std::chrono::steady_clock::duration duration)
{
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count()) + " s";
}

base::Error unreachable(const ClientOptions& options, std::chrono::steady_clock::duration patience)
{
    auto advice = net::key_advice(options.endpoint, options.key.has_value());
    if (advice.empty()) {
        advice = "Start it with 'coordinator --data-dir DIR --listen " + options.endpoint +
                 "', or name another with --coordinator URL";
    }
    return {base::ExitCode::unreachable, "no coordinator answered at " + options.endpoint + " within " +
                                             seconds(patience) + "; is it running there? " + advice};
}

base::Error interrupted()
{
    return {base::ExitCode::interrupted, "interrupted"};
}

/// A watch is answered late on purpose.
std::chrono::milliseconds own_wait(const proto::Message& message)
{
    const auto* watch = std::get_if<proto::WatchJob>(&message);
    return std::chrono::milliseconds(watch == nullptr ? 0 : watch->wait_ms);
}

} // namespace

Connection::Connection(ClientOptions options)
    : options_(std::move(options)), socket_(context_, io_, net::bulk_limits(), options_.key)
{
}

base::Result<void> Connection::open()
{
    if (const auto connected = socket_.connect(options_.endpoint); !connected) {
        return base::fail(base::ExitCode::usage, connected.error() + "; an endpoint is tcp://HOST:PORT or ipc://PATH");
    }
    socket_.start({[this] { say_hello(); }, [this](proto::Packet packet) { on_packet(std::move(packet)); },
                   [](const proto::DecodeError&) {}}); // a coordinator that talks nonsense is as good as silent
    expect_welcome(Clock::now());
    const auto deadline = Clock::now() + options_.connect_patience;
    while (!is_welcomed_) {
        if (fatal_) {
            return tl::unexpected(*fatal_);
        }
        if (is_interrupted()) {
            return tl::unexpected(interrupted());
        }
        const auto now = Clock::now();
        if (now >= deadline) {
            return tl::unexpected(unreachable(options_, options_.connect_patience));
        }
        send_what_is_due(now);
        run_for_a_moment(deadline);
    }
    return {};
}

base::Result<proto::Packet> Connection::ask(proto::Message message, Clock::duration patience)
{
    const auto per_try = own_wait(message) + answer_time;
    patience += own_wait(message);
    request_ = Request{++last_correlation_, std::move(message), per_try, std::nullopt, std::nullopt, std::nullopt};
    const auto deadline = Clock::now() + patience;
    for (;;) {
        if (request_->reply) {
            auto reply = std::move(*request_->reply);
            request_.reset();
            return reply;
        }
        if (fatal_) {
            return tl::unexpected(*fatal_);
        }
        const auto now = Clock::now();
        if (is_interrupted()) {
            request_.reset();
            return tl::unexpected(interrupted());
        }
        if (now >= deadline) {
            const auto busy = std::exchange(request_, std::nullopt)->busy;
            return tl::unexpected(busy ? error_of(*busy) : unreachable(options_, patience));
        }
        send_what_is_due(now);
        run_for_a_moment(deadline);
    }
}

void Connection::say_hello()
{
    is_welcomed_ = false;
    next_hello_ = Clock::now() + hello_interval;
    proto::ClientHello hello;
    hello.software = "sdfleet " SDFLEET_VERSION;
    proto::Packet packet{{}, std::move(hello), {}};
    (void)socket_.send(packet); // not connected yet: on_writable brings us here again
}

/// From here on silence counts.
void Connection::expect_welcome(Clock::time_point now)
{
    redial_delay_ = redial_delay;
    redial_at_ = now + redial_delay_;
}

/// A key that was issued a moment ago is refused until the coordinator looks for new ones, and ZeroMQ does not dial again
/// after a refusal.
void Connection::redial(Clock::time_point now)
{
    redial_delay_ *= 2;
    redial_at_ = now + redial_delay_;
    (void)socket_.redial(options_.endpoint); // it connected before
}

void Connection::send_what_is_due(Clock::time_point now)
{
    if (!is_welcomed_) {
        if (now >= redial_at_) {
            redial(now);
        } else if (now >= next_hello_) {
            say_hello();
        }
        return;
    }
    expect_welcome(now);
    if (!request_ || request_->reply) {
        return;
    }
    if (request_->try_again_at && now < *request_->try_again_at) {
        return;
    }
    const bool was_sent = socket_.send({envelope(request_->correlation), request_->message, {}}).has_value();
    request_->try_again_at = now + (was_sent ? request_->patience_per_try : Clock::duration(slice));
}

void Connection::on_packet(proto::Packet packet)
{
    if (std::holds_alternative<proto::Welcome>(packet.message)) {
        on_welcome(packet);
    } else if (const auto* refused = std::get_if<proto::Refused>(&packet.message)) {
        on_refused(*refused);
    } else {
        on_reply(std::move(packet));
    }
}

void Connection::on_welcome(const proto::Packet& packet)
{
    const auto& welcome = std::get<proto::Welcome>(packet.message);
    const bool is_new_epoch = welcome.epoch != welcome_.epoch;
    welcome_ = welcome;
    cluster_ = packet.envelope.cluster;
    is_welcomed_ = true;
    if (!request_) {
        return;
    }
    request_->try_again_at.reset(); // whatever was sent before went to a connection that is gone
    if (auto* watch = std::get_if<proto::WatchJob>(&request_->message); watch != nullptr && is_new_epoch) {
        watch->after_change = 0;
    }
}

void Connection::on_refused(const proto::Refused& refusal)
{
    switch (refusal.reason) {
    case proto::RefusalReason::not_registered:
    case proto::RefusalReason::other_cluster: // another coordinator took the address over; it knows our job or says not
        say_hello();
        break;
    case proto::RefusalReason::full:
        is_welcomed_ = false;
        break;
    case proto::RefusalReason::protocol_version:
    case proto::RefusalReason::superseded:
    case proto::RefusalReason::fenced:
    case proto::RefusalReason::invalid_hello:
        fatal_ = error_of(refusal, options_.endpoint);
        break;
    }
}

void Connection::on_reply(proto::Packet packet)
{
    if (!request_ || packet.envelope.correlation != request_->correlation) {
        return; // the answer to a request that was given up
    }
    const auto* refusal = std::get_if<proto::RequestFailed>(&packet.message);
    if (refusal != nullptr && refusal->retry_after_ms > 0) {
        request_->try_again_at = Clock::now() + std::chrono::milliseconds(refusal->retry_after_ms);
        request_->busy = *refusal;
        return;
    }
    request_->reply = std::move(packet);
}

void Connection::run_for_a_moment(Clock::time_point deadline)
{
    const auto left = std::max(deadline - Clock::now(), Clock::duration::zero());
    io_.restart();
    io_.run_one_for(std::min<Clock::duration>(left, slice));
}

bool Connection::is_interrupted() const
{
    return options_.is_interrupted && options_.is_interrupted();
}

proto::Envelope Connection::envelope(std::uint64_t correlation) const
{
    return {welcome_.protocol_version, cluster_, 0, correlation};
}

} // namespace sdfleet::client
