// SPDX-License-Identifier: Apache-2.0
#include "net/options.hpp"

#include "tests/catch.hpp"

using sdfleet::net::is_local_endpoint;

TEST_CASE("loopback and file sockets are local, everything else is the network")
{
    for (const auto* endpoint : {"ipc:///tmp/x", "tcp://127.0.0.1:7420", "tcp://localhost:7420", "tcp://[::1]:7420"}) {
        REQUIRE(is_local_endpoint(endpoint));
    }
    for (const auto* endpoint : {"tcp://*:7420", "tcp://0.0.0.0:7420", "tcp://10.0.0.1:7420",
                                 "tcp://localhost.example:1", "tcp://[::]:7420", ""}) {
        REQUIRE_FALSE(is_local_endpoint(endpoint));
    }
}
