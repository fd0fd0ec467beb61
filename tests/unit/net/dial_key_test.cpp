// SPDX-License-Identifier: Apache-2.0
#include "net/dial_key.hpp"

#include "tests/catch.hpp"

namespace net = sdfleet::net;
using sdfleet::base::ExitCode;

namespace {

bool contains(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a key is dialled with where one may be asked for, and not on a file socket")
{
    REQUIRE_FALSE(net::find_dial_key("tcp://10.0.0.1:7420", "").value());
    REQUIRE_FALSE(net::find_dial_key("ipc:///tmp/x", "/nowhere/me.key").value());
    REQUIRE(net::find_dial_key("tcp://10.0.0.1:7420", "/nowhere/me.key").error().code == ExitCode::usage);
    REQUIRE(net::find_dial_key("tcp://127.0.0.1:7420", "/nowhere/me.key").error().code == ExitCode::usage);
}

TEST_CASE("what a silent coordinator may have to do with keys depends on where it is and on who asks")
{
    REQUIRE(contains(net::key_advice("tcp://10.0.0.1:7420", false), "--key-file"));
    REQUIRE(contains(net::key_advice("tcp://10.0.0.1:7420", true), "sdctl keys list"));
    REQUIRE(contains(net::key_advice("tcp://127.0.0.1:7420", true), "without --key-file"));
    REQUIRE(net::key_advice("tcp://127.0.0.1:7420", false).empty());
}
