// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace sdfleet::net {

/// What a socket allows before it pushes back. The defaults suit control connections.
struct SocketLimits {
    int send_high_water_mark = 1000;         ///< messages a peer may have waiting; more and send() says would_block
    std::size_t send_blob_bytes = 32u << 20; ///< of a router: raw bytes a peer may have waiting; would_block beyond
    int receive_high_water_mark = 1000;      ///< messages waiting to be read, a peer
    int heartbeat_interval_ms = 500;         ///< ZeroMQ's own, against dead hosts and cut cables
    int heartbeat_timeout_ms = 2500;
    int linger_ms =
        0; ///< how long what was sent may still take to leave when the socket goes; the context waits for it
};

/// For connections that carry images: few large messages.
constexpr SocketLimits bulk_limits()
{
    return {.send_high_water_mark = 16, .receive_high_water_mark = 16};
}

/// True when the endpoint can be reached from this machine alone: ipc://, or tcp:// on a loopback address.
bool is_local_endpoint(const std::string& endpoint);

} // namespace sdfleet::net
