// SPDX-License-Identifier: Apache-2.0
#include "net/mesh_socket.hpp"

#include "tests/catch.hpp"

#include <filesystem>
#include <functional>
#include <string>

#include <unistd.h>

namespace net = sdfleet::net;
using namespace std::chrono_literals;

namespace {

constexpr auto patience = 60s; ///< only a failing test waits so long

std::span<const std::byte> bytes_of(const std::string& text)
{
    return std::as_bytes(std::span(text));
}

std::string text_of(std::span<const std::byte> bytes)
{
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Calls `find` until it gives something, waiting on the socket between.
template <class Found>
Found wait_for(net::MeshSocket& socket, const std::function<std::optional<Found>()>& find)
{
    const auto until = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < until) {
        if (auto found = find()) {
            return std::move(*found);
        }
        socket.wait(-1, 10ms);
    }
    throw std::runtime_error("nothing came");
}

net::MeshSocket::Message receive(net::MeshSocket& socket)
{
    return wait_for<net::MeshSocket::Message>(socket, [&] { return socket.receive(); });
}

net::MeshSocket::Ended wait_for_end(net::MeshSocket& socket)
{
    return wait_for<net::MeshSocket::Ended>(socket, [&]() -> std::optional<net::MeshSocket::Ended> {
        auto ended = socket.take_ended();
        return ended.empty() ? std::nullopt : std::optional(ended[0]);
    });
}

struct Path {
    std::string text =
        (std::filesystem::temp_directory_path() / ("mesh-socket-" + std::to_string(::getpid()))).string();
    ~Path() { std::filesystem::remove(text); }
};

} // namespace

TEST_CASE("both sides of a private connection can speak, and the kernel says whose the other is")
{
    const Path path;
    net::MeshSocket listener;
    net::MeshSocket dialler;
    const auto door = *dialler.dial(*listener.listen_private(path.text), std::nullopt);
    REQUIRE(dialler.send(door, bytes_of("head"), bytes_of("body")));
    const auto question = receive(listener);
    REQUIRE(text_of(question.header.bytes) == "head");
    REQUIRE(text_of(question.payload.bytes) == "body");
    const auto origin = net::MeshSocket::origin_of(question);
    REQUIRE(origin.is_own_user);
    REQUIRE(origin.public_key.empty());

    REQUIRE(listener.send(question.peer, bytes_of("answer")));
    const auto answer = receive(dialler);
    REQUIRE(answer.peer == door);
    REQUIRE(text_of(answer.header.bytes) == "answer");
    REQUIRE(answer.payload.bytes.empty());
}

TEST_CASE("over TCP a known key gets through and is told; an unknown one is refused, and the dialler hears it")
{
    const auto server = net::make_curve_key_pair();
    const auto known = net::make_curve_key_pair();
    net::MeshSocket listener;
    const auto endpoint = *listener.listen("127.0.0.1", server);
    listener.allow({known.public_key});

    net::MeshSocket stranger;
    const auto closed_door = *stranger.dial(endpoint, net::CurveClient{server.public_key, net::make_curve_key_pair()});
    REQUIRE(stranger.send(closed_door, bytes_of("let me in")));
    const auto refused = wait_for_end(stranger);
    REQUIRE(refused.how == net::MeshSocket::Ended::How::refused);
    REQUIRE(refused.endpoint == endpoint);

    net::MeshSocket friendly;
    const auto door = *friendly.dial(endpoint, net::CurveClient{server.public_key, known});
    REQUIRE(friendly.send(door, bytes_of("it is me")));
    const auto message = receive(listener);
    REQUIRE(text_of(message.header.bytes) == "it is me");
    REQUIRE(net::MeshSocket::origin_of(message).public_key == known.public_key);
    REQUIRE_FALSE(net::MeshSocket::origin_of(message).is_own_user);
}

TEST_CASE("when a connection's end is seen, everything sent over it can be received")
{
    const Path path;
    net::MeshSocket listener;
    auto dialler = std::make_unique<net::MeshSocket>();
    const auto door = *dialler->dial(*listener.listen_private(path.text), std::nullopt);
    REQUIRE(dialler->send(door, bytes_of("first")));
    const auto first = receive(listener);
    constexpr int count = 500;
    for (int i = 0; i < count; ++i) {
        REQUIRE(dialler->send(door, bytes_of("more"), bytes_of(std::string(2'000, 'x'))));
    }
    dialler.reset();

    const auto ended = wait_for_end(listener);
    REQUIRE(ended.how == net::MeshSocket::Ended::How::lost);
    REQUIRE(ended.connection == net::MeshSocket::origin_of(first).connection);
    int received = 0;
    while (listener.receive()) {
        ++received;
    }
    REQUIRE(received == count);
}

TEST_CASE("lent memory comes back when it was read, and at the latest when the socket closes")
{
    const Path path;
    const std::string large(3'000'000, 'y');
    net::MeshSocket listener;
    net::MeshSocket dialler;
    const auto door = *dialler.dial(*listener.listen_private(path.text), std::nullopt);
    REQUIRE(dialler.send_lent(door, bytes_of("head"), bytes_of(large)));
    REQUIRE(text_of(receive(listener).payload.bytes) == large);
    wait_for<bool>(dialler, [&] { return dialler.lent() == 0 ? std::optional(true) : std::nullopt; });

    const auto nowhere = *dialler.dial("ipc://" + path.text + "-nobody", std::nullopt);
    REQUIRE(dialler.send_lent(nowhere, bytes_of("head"), bytes_of(large)));
    REQUIRE(dialler.lent() == 1);
    dialler.close(0ms);
    REQUIRE(dialler.lent() == 0);
}
