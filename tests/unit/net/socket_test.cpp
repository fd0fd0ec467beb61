// SPDX-License-Identifier: Apache-2.0
#include "net/socket.hpp"

#include "tests/catch.hpp"

#include <chrono>
#include <deque>
#include <map>

namespace asio = boost::asio;
namespace net = sdfleet::net;
namespace proto = sdfleet::proto;
using namespace std::chrono_literals;

namespace {

proto::Packet packet_of(proto::Message message, std::uint64_t correlation = 0)
{
    return {{1, {"cluster"}, 0, correlation}, std::move(message), {}};
}

/// A router with everything it received, and as many dealers as a test wants, on one thread.
struct Wire {
    net::Context context;
    asio::io_context io;
    net::RouterSocket router{context, io};
    std::string endpoint = *router.bind("tcp://127.0.0.1:*");
    std::deque<std::pair<net::PeerId, proto::Packet>> received;
    int garbage = 0;

    Wire()
    {
        router.start({[this](net::PeerId peer, proto::Packet packet) {
                          received.emplace_back(std::move(peer), std::move(packet));
                      },
                      [this](net::PeerId, proto::DecodeError) { ++garbage; }});
    }

    /// Runs the loop until the condition holds; false when it does not within 10 s.
    bool run_until(const std::function<bool()>& condition)
    {
        const auto deadline = std::chrono::steady_clock::now() + 60s; // only a failing test waits so long
        while (!condition() && std::chrono::steady_clock::now() < deadline) {
            io.restart();
            io.run_one_for(100ms);
        }
        return condition();
    }
};

struct Dealer {
    net::DealerSocket socket;
    int times_writable = 0;
    std::deque<proto::Packet> received;

    explicit Dealer(Wire& wire, net::SocketLimits limits = {}) : socket(wire.context, wire.io, limits)
    {
        REQUIRE(socket.connect(wire.endpoint));
        socket.start({[this] { ++times_writable; },
                      [this](proto::Packet packet) { received.push_back(std::move(packet)); },
                      [](proto::DecodeError) {}});
    }
};

} // namespace

TEST_CASE("a message goes to the router and its answer comes back to the same dealer")
{
    Wire wire;
    Dealer first(wire);
    Dealer second(wire);
    REQUIRE(wire.run_until([&] { return first.times_writable == 1 && second.times_writable == 1; }));

    REQUIRE(first.socket.send(packet_of(proto::ListJobs{5}, 77)));
    REQUIRE(wire.run_until([&] { return wire.received.size() == 1; }));
    REQUIRE(wire.router.send(wire.received[0].first, packet_of(proto::JobList{}, 77)));
    REQUIRE(wire.run_until([&] { return first.received.size() == 1; }));

    REQUIRE(std::get<proto::ListJobs>(wire.received[0].second.message).max_jobs == 5);
    REQUIRE(first.received[0].envelope.correlation == 77);
    REQUIRE(second.received.empty());
}

TEST_CASE("a blob travels as it is, both ways, without being copied into msgpack")
{
    Wire wire;
    Dealer dealer(wire);
    REQUIRE(wire.run_until([&] { return dealer.times_writable == 1; }));
    const std::string image(3 * 1024 * 1024, 'p');
    auto packet = packet_of(proto::ItemDone{});
    packet.blobs.push_back(proto::Blob::of(image));

    REQUIRE(dealer.socket.send(packet));
    REQUIRE(wire.run_until([&] { return wire.received.size() == 1; }));
    REQUIRE(wire.router.send(wire.received[0].first, wire.received[0].second));
    REQUIRE(wire.run_until([&] { return dealer.received.size() == 1; }));

    const auto& blob = dealer.received[0].blobs.at(0);
    REQUIRE(std::string(reinterpret_cast<const char*>(blob.bytes.data()), blob.bytes.size()) == image);
}

TEST_CASE("a flood of messages is delivered whole and in order, in both directions at once")
{
    constexpr std::uint64_t count = 20'000;
    Wire wire;
    Dealer dealer(wire);
    REQUIRE(wire.run_until([&] { return dealer.times_writable >= 1; }));
    std::uint64_t sent = 0;
    std::uint64_t answered = 0;

    const bool all_back = wire.run_until([&] {
        while (sent < count && dealer.socket.send(packet_of(proto::ListJobs{}, sent))) {
            ++sent;
        }
        while (!wire.received.empty() &&
               wire.router.send(wire.received.front().first,
                                packet_of(proto::JobList{}, wire.received.front().second.envelope.correlation))) {
            wire.received.pop_front();
        }
        for (; !dealer.received.empty(); dealer.received.pop_front()) {
            REQUIRE(dealer.received.front().envelope.correlation == answered);
            ++answered;
        }
        return answered == count;
    });

    REQUIRE(all_back);
}

TEST_CASE("sending to a peer that is not there is an error, not a silent loss")
{
    Wire wire;
    REQUIRE(wire.router.send({"nobody"}, packet_of(proto::ListJobs{})).error() == net::SendError::unreachable);
}

TEST_CASE("a dealer without a connection refuses to queue what would arrive stale")
{
    net::Context context;
    asio::io_context io;
    net::DealerSocket dealer(context, io);
    REQUIRE(dealer.connect("ipc:///tmp/sdfleet-test-nobody-listens-here.sock"));

    REQUIRE(dealer.send(packet_of(proto::ListJobs{})).error() == net::SendError::would_block);
}

TEST_CASE("a peer that stops reading gets a bounded queue, and the sender is told")
{
    Wire wire;
    auto quiet = std::make_unique<Dealer>(wire, net::SocketLimits{.receive_high_water_mark = 4});
    REQUIRE(wire.run_until([&] { return quiet->times_writable == 1; }));
    REQUIRE(quiet->socket.send(packet_of(proto::ListJobs{})));
    REQUIRE(wire.run_until([&] { return wire.received.size() == 1; }));
    auto packet = packet_of(proto::Artifact{});
    packet.blobs.push_back(proto::Blob::of(std::string(1024 * 1024, 'x')));

    net::SendResult result;
    int taken = 0;
    while ((result = wire.router.send(wire.received[0].first, packet)) && taken < 5000) {
        ++taken; // the loop does not run: nobody reads
    }

    REQUIRE_FALSE(result);
    REQUIRE(result.error() == net::SendError::would_block);
    REQUIRE(taken < 5000);
}

TEST_CASE("what waits for a peer that stopped reading is bounded in bytes, and a lone large blob always goes")
{
    constexpr std::size_t mebibyte = 1024 * 1024;
    Wire wire;
    auto quiet = std::make_unique<Dealer>(wire, net::SocketLimits{.receive_high_water_mark = 1});
    REQUIRE(wire.run_until([&] { return quiet->times_writable == 1; }));
    REQUIRE(quiet->socket.send(packet_of(proto::ListJobs{})));
    REQUIRE(wire.run_until([&] { return wire.received.size() == 1; }));
    const auto peer = wire.received[0].first;
    auto large = packet_of(proto::Artifact{});
    large.blobs.push_back(proto::Blob::of(std::string(48 * mebibyte, 'x')));
    REQUIRE(wire.router.send(peer, large)); // more than the bound, but nothing else waits

    auto packet = packet_of(proto::Artifact{});
    packet.blobs.push_back(proto::Blob::of(std::string(8 * mebibyte, 'x')));
    int taken = 0;
    while (wire.router.send(peer, packet) && taken < 100) {
        ++taken;
    }
    REQUIRE(taken < 20); // 800 MiB would be within the high-water mark

    REQUIRE(wire.run_until([&] { return quiet->received.size() == 1U + static_cast<unsigned>(taken); }));
    REQUIRE(wire.run_until([&] { return static_cast<bool>(wire.router.send(peer, packet)); })); // it reads again
}

TEST_CASE("garbage reaches its handler and leaves the socket working")
{
    Wire wire;
    Dealer dealer(wire);
    REQUIRE(wire.run_until([&] { return dealer.times_writable == 1; }));
    auto future = packet_of(proto::ListJobs{});
    future.envelope.version = 99;

    REQUIRE(dealer.socket.send(future));
    REQUIRE(dealer.socket.send(packet_of(proto::ListJobs{}, 1)));
    REQUIRE(wire.run_until([&] { return wire.received.size() == 1; }));

    REQUIRE(wire.garbage == 1);
    REQUIRE(wire.received[0].second.envelope.correlation == 1);
}

TEST_CASE("a message above the protocol's limit is refused at the sender")
{
    Wire wire;
    Dealer dealer(wire);
    REQUIRE(wire.run_until([&] { return dealer.times_writable == 1; }));
    auto packet = packet_of(proto::ItemDone{});
    packet.blobs.assign(proto::max_blobs + 1, proto::Blob::of("x"));

    REQUIRE(dealer.socket.send(packet).error() == net::SendError::too_large);
    REQUIRE(dealer.socket.send(packet_of(proto::Goodbye{std::string(proto::max_message_bytes, 'x')})).error() ==
            net::SendError::too_large);
}

TEST_CASE("a dealer is told when the listener came back")
{
    net::Context context;
    asio::io_context io;
    auto router = std::make_unique<net::RouterSocket>(context, io);
    const auto endpoint = *router->bind("tcp://127.0.0.1:*");
    router->start({[](net::PeerId, proto::Packet) {}, [](net::PeerId, proto::DecodeError) {}});
    int times_writable = 0;
    net::DealerSocket dealer(context, io);
    REQUIRE(dealer.connect(endpoint));
    dealer.start({[&] { ++times_writable; }, [](proto::Packet) {}, [](proto::DecodeError) {}});
    const auto run_until_writable = [&](int times) {
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        while (times_writable < times && std::chrono::steady_clock::now() < deadline) {
            io.restart();
            io.run_one_for(100ms);
        }
        return times_writable >= times;
    };
    REQUIRE(run_until_writable(1));

    router.reset();
    io.restart();
    io.run_for(200ms); // lets the dealer notice the loss
    router = std::make_unique<net::RouterSocket>(context, io);
    // The old listener's port is freed by ZeroMQ's own thread, a moment after the socket is closed.
    net::EndpointResult bound;
    for (int i = 0; i < 100 && !(bound = router->bind(endpoint)); ++i) {
        io.restart();
        io.run_for(50ms);
    }

    REQUIRE(bound);
    REQUIRE(run_until_writable(2));
}

TEST_CASE("an endpoint that cannot be used is explained")
{
    Wire wire;
    net::RouterSocket other(wire.context, wire.io);
    net::DealerSocket dealer(wire.context, wire.io);

    REQUIRE(other.bind(wire.endpoint).error().find("in use") != std::string::npos);
    REQUIRE(other.bind("nonsense").error().find("nonsense") != std::string::npos);
    REQUIRE(dealer.connect("nonsense").error().find("nonsense") != std::string::npos);
}
