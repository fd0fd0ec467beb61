// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/socket.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>

namespace sdfleet::tests {

/// What a fake coordinator answers to one message; nothing = it stays silent.
using Answer = std::function<std::optional<proto::Packet>(const proto::Message&)>;

/// A router on a thread of its own that answers as a test says. Stops, and frees its address, when it goes.
class FakeCoordinator {
public:
    /// "tcp://127.0.0.1:*" lets the system choose the port.
    explicit FakeCoordinator(Answer answer, const std::string& listen = "tcp://127.0.0.1:*")
        : router_(context_, io_), endpoint_(router_.bind(listen).value())
    {
        router_.start({[this, answer = std::move(answer)](const net::PeerId& peer, const proto::Packet& packet) {
                           ++messages_;
                           if (auto reply = answer(packet.message)) {
                               reply->envelope = {1, {"fake"}, 0, packet.envelope.correlation};
                               (void)router_.send(peer, *reply);
                           }
                       },
                       [](const net::PeerId&, const proto::DecodeError&) {}});
        thread_ = std::thread([this] {
            while (!is_stopping_) {
                io_.restart();
                io_.run_for(std::chrono::milliseconds(10));
            }
        });
    }
    ~FakeCoordinator()
    {
        is_stopping_ = true;
        thread_.join();
    }
    FakeCoordinator(const FakeCoordinator&) = delete;
    FakeCoordinator& operator=(const FakeCoordinator&) = delete;

    const std::string& endpoint() const { return endpoint_; }
    int messages() const { return messages_; }

private:
    net::Context context_;
    boost::asio::io_context io_;
    net::RouterSocket router_;
    std::string endpoint_;
    std::atomic<int> messages_ = 0;
    std::atomic<bool> is_stopping_ = false;
    std::thread thread_;
};

inline proto::Packet packet_of(proto::Message message)
{
    return {{}, std::move(message), {}};
}

inline proto::Packet welcome(std::uint64_t epoch = 1)
{
    proto::Welcome message;
    message.software = "fake";
    message.epoch = epoch;
    return packet_of(message);
}

/// Welcomes every client and leaves its requests to `answer`.
inline Answer welcoming(Answer answer, std::uint64_t epoch = 1)
{
    return [answer = std::move(answer), epoch](const proto::Message& message) -> std::optional<proto::Packet> {
        return std::holds_alternative<proto::ClientHello>(message) ? welcome(epoch) : answer(message);
    };
}

} // namespace sdfleet::tests
