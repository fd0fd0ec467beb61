// SPDX-License-Identifier: Apache-2.0
#include "net/curve.hpp"
#include "net/socket.hpp"

#include "tests/catch.hpp"

#include <chrono>
#include <stdexcept>

namespace asio = boost::asio;
namespace net = sdfleet::net;
namespace proto = sdfleet::proto;
using namespace std::chrono_literals;

namespace {

/// Whether a dealer with these keys gets a message through to a router with those, within two seconds.
bool gets_through(net::Context& context, const net::CurveServer& server, const std::optional<net::CurveClient>& client)
{
    asio::io_context io;
    bool received = false;
    net::RouterSocket router(context, io, {}, server);
    const auto endpoint = *router.bind("tcp://127.0.0.1:*");
    router.start({[&](net::PeerId, proto::Packet) { received = true; }, [](net::PeerId, proto::DecodeError) {}});
    net::DealerSocket dealer(context, io, {}, client);
    REQUIRE(dealer.connect(endpoint));
    dealer.start({[&] {
                      static_cast<void>(dealer.send({{}, proto::ClientHello{}, {}}));
                  },
                  [](proto::Packet) {}, [](proto::DecodeError) {}});
    const auto deadline = std::chrono::steady_clock::now() + 2s;
    while (!received && std::chrono::steady_clock::now() < deadline) {
        io.restart();
        io.run_one_for(50ms);
    }
    return received;
}

} // namespace

TEST_CASE("a key pair belongs together, and what is no key has no public half")
{
    const auto keys = net::make_curve_key_pair();

    REQUIRE(net::curve_public_key(keys.secret_key) == keys.public_key);
    REQUIRE(net::curve_public_key("short") == std::nullopt);
    REQUIRE(net::curve_public_key(std::string(40, '"')) == std::nullopt);
}

TEST_CASE("only allowed keys get through, and only to the server they expect")
{
    net::Context context;
    const auto server = net::make_curve_key_pair();
    const auto member = net::make_curve_key_pair();
    net::Authenticator authenticator(context, {member.public_key});
    REQUIRE(authenticator.self_test());

    REQUIRE(gets_through(context, {server}, net::CurveClient{server.public_key, member}));
    REQUIRE_FALSE(gets_through(context, {server}, net::CurveClient{server.public_key, net::make_curve_key_pair()}));
    REQUIRE_FALSE(gets_through(context, {server}, net::CurveClient{net::make_curve_key_pair().public_key, member}));
    REQUIRE_FALSE(gets_through(context, {server}, std::nullopt));

    authenticator.allow({});
    REQUIRE_FALSE(gets_through(context, {server}, net::CurveClient{server.public_key, member}));
}

TEST_CASE("a second checker in one context is refused rather than silently without effect")
{
    net::Context context;
    const net::Authenticator first(context, {});

    REQUIRE_THROWS_AS(net::Authenticator(context, {}), std::runtime_error);
}
