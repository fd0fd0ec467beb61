// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "net/curve.hpp"
#include "net/key_files.hpp"

#include <filesystem>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace sdfleet::coordinator {

/// Lets only members with a key of this data folder connect, and follows the folder: a key that is issued or revoked
/// while the coordinator runs counts within seconds; when they cannot be read any more, the log says so. For the loop's
/// thread; must outlive the sockets it guards.
class KeyGuard {
public:
    /// Fails when keys cannot be read, when no key was issued yet, or when the check of keys does not work.
    static base::Result<std::unique_ptr<KeyGuard>> open(net::Context& context, boost::asio::io_context& io,
                                                        const std::filesystem::path& data_dir);

    const net::CurveServer& server() const { return server_; }

    /// Whether the key's owner may run programs on the nodes.
    bool may_launch(const std::string& public_key) const { return allowed_.may_launch.contains(public_key); }

private:
    KeyGuard(net::Context& context, boost::asio::io_context& io, std::filesystem::path data_dir,
             net::CurveServer server, net::AllowedKeys allowed);
    void follow();
    void read_again();

    std::filesystem::path data_dir_;
    net::CurveServer server_;
    net::AllowedKeys allowed_;
    std::string complaint_; ///< why the keys could not be read the last time; empty when they could
    net::Authenticator authenticator_;
    boost::asio::steady_timer timer_;
};

} // namespace sdfleet::coordinator
