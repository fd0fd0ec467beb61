// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <string>

#include <boost/asio/ip/tcp.hpp>

namespace sdfleet::coordinator::gateway {

/// Reads "127.0.0.1:7421", "[::1]:7421" or "localhost:7421"; port * is any free one, here 0. Fails (usage) with one line.
base::Result<boost::asio::ip::tcp::endpoint> parse_address(const std::string& text);

/// As parse_address takes it.
std::string to_string(const boost::asio::ip::tcp::endpoint& endpoint);

} // namespace sdfleet::coordinator::gateway
