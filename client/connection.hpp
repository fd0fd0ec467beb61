// SPDX-License-Identifier: Apache-2.0
// Internal to client/.
#pragma once

#include "client/client.hpp"
#include "net/socket.hpp"

#include <chrono>
#include <optional>

#include <boost/asio/io_context.hpp>

namespace sdfleet::client {

/// One dealer socket, the hello on it, and at most one request under way. Blocks by running its own event loop.
class Connection {
public:
    using Clock = std::chrono::steady_clock;

    explicit Connection(ClientOptions options);

    /// Dials and waits for the welcome.
    base::Result<void> open();

    /// Asks until the coordinator answers; `patience` is how long that may take. A repeated request is the same bytes.
    base::Result<proto::Packet> ask(proto::Message request, Clock::duration patience);

    std::uint64_t epoch() const { return welcome_.epoch; }
    const ClientOptions& options() const { return options_; }

private:
    struct Request {
        std::uint64_t correlation = 0;
        proto::Message message;
        Clock::duration patience_per_try{};
        std::optional<Clock::time_point> try_again_at; ///< not sent, or to be sent at once, while empty
        std::optional<proto::Packet> reply;
        std::optional<proto::RequestFailed> busy; ///< the last "try again later"
    };

    void say_hello();
    void expect_welcome(Clock::time_point now);
    void redial(Clock::time_point now);
    void on_packet(proto::Packet packet);
    void on_welcome(const proto::Packet& packet);
    void on_refused(const proto::Refused& refusal);
    void on_reply(proto::Packet packet);
    void send_what_is_due(Clock::time_point now);
    void run_for_a_moment(Clock::time_point deadline);
    bool is_interrupted() const;
    proto::Envelope envelope(std::uint64_t correlation) const;

    ClientOptions options_;
    net::Context context_;
    boost::asio::io_context io_{1};
    net::DealerSocket socket_;
    bool is_welcomed_ = false;
    proto::Welcome welcome_;
    proto::ClusterId cluster_;
    std::uint64_t last_correlation_ = 0;
    Clock::time_point next_hello_;
    Clock::time_point redial_at_;
    Clock::duration redial_delay_{};
    std::optional<base::Error> fatal_; ///< nothing that this connection asks will ever be answered
    std::optional<Request> request_;
};

} // namespace sdfleet::client
