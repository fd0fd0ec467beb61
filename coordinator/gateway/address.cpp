// SPDX-License-Identifier: Apache-2.0
#include "coordinator/gateway/address.hpp"

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sdfleet::coordinator::gateway {

namespace {

namespace ip = boost::asio::ip;

std::optional<std::uint16_t> parse_port(std::string_view text)
{
    if (text == "*") {
        return std::uint16_t{0};
    }
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size() || port == 0) {
        return std::nullopt;
    }
    return port;
}

/// Numbers only: a name could stand for several machines, and asking for it could block.
std::optional<ip::address> parse_host(std::string_view text)
{
    if (text == "localhost") {
        return ip::address(ip::address_v4::loopback());
    }
    boost::system::error_code error;
    const bool is_bracketed = text.size() > 2 && text.front() == '[' && text.back() == ']';
    if (is_bracketed) {
        const auto address = ip::make_address_v6(std::string(text.substr(1, text.size() - 2)), error);
        return error ? std::nullopt : std::optional<ip::address>(address);
    }
    const auto address = ip::make_address_v4(std::string(text), error);
    return error ? std::nullopt : std::optional<ip::address>(address);
}

} // namespace

base::Result<ip::tcp::endpoint> parse_address(const std::string& text)
{
    const auto colon = text.rfind(':');
    if (colon != std::string::npos) {
        const auto host = parse_host(std::string_view(text).substr(0, colon));
        const auto port = parse_port(std::string_view(text).substr(colon + 1));
        if (host && port) {
            return ip::tcp::endpoint(*host, *port);
        }
    }
    return base::fail(base::ExitCode::usage, "--http " + text +
                                                 ": an address is NUMBERS:PORT, such as 127.0.0.1:7421 or [::1]:7421 "
                                                 "(PORT * = any free one)");
}

std::string to_string(const ip::tcp::endpoint& endpoint)
{
    const auto host = endpoint.address().to_string();
    return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port());
}

} // namespace sdfleet::coordinator::gateway
