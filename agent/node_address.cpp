// SPDX-License-Identifier: Apache-2.0
#include "agent/node_address.hpp"

#include <string_view>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>

namespace sdfleet::agent {

std::string find_node_address(const std::string& endpoint)
{
    using boost::asio::ip::udp;
    const std::string loopback = "127.0.0.1";
    constexpr std::string_view tcp = "tcp://";
    const auto port_begin = endpoint.rfind(':');
    if (!endpoint.starts_with(tcp) || port_begin == std::string::npos || port_begin < tcp.size()) {
        return loopback;
    }
    auto host = endpoint.substr(tcp.size(), port_begin - tcp.size());
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    }
    boost::asio::io_context io;
    boost::system::error_code error;
    udp::resolver resolver(io);
    const auto results = resolver.resolve(host, endpoint.substr(port_begin + 1), error);
    for (const auto& result : results) {
        // Connecting a UDP socket sends nothing: it only makes the kernel choose a route.
        udp::socket socket(io);
        socket.connect(result.endpoint(), error);
        const auto local = error ? udp::endpoint() : socket.local_endpoint(error);
        if (!error) {
            return local.address().to_string();
        }
    }
    return loopback;
}

} // namespace sdfleet::agent
