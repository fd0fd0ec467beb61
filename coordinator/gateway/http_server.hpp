// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "coordinator/gateway/answer.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace sdfleet::coordinator::gateway {

/// What a client can make the server hold.
struct HttpLimits {
    std::size_t connections = 64; ///< more wait in the system's queue
    std::uint32_t header_bytes = 8 * 1024;
    std::size_t unread_bytes = 64 * 1024;      ///< of a refused body, read away so that the answer arrives
    std::chrono::milliseconds deadline{5'000}; ///< from the first byte to the last; then the connection is closed
};

class Listener;

/// Answers one GET a connection, for monitoring: /metrics, /healthz, /readyz. Takes no bodies. For one thread, that of
/// the io_context, which it never blocks.
class HttpServer {
public:
    /// Begins to listen; `read_status` is called until the server is gone. Fails (failed) with one line when the address
    /// is in use or not this machine's.
    static base::Result<HttpServer> listen(boost::asio::io_context& io, const boost::asio::ip::tcp::endpoint& address,
                                           ReadStatus read_status, HttpLimits limits = {});

    HttpServer(HttpServer&&) = default;
    HttpServer& operator=(HttpServer&&) = delete;
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;
    ~HttpServer();

    /// With the port that was bound.
    boost::asio::ip::tcp::endpoint address() const;

private:
    explicit HttpServer(std::shared_ptr<Listener> listener);

    std::shared_ptr<Listener> listener_;
};

} // namespace sdfleet::coordinator::gateway
