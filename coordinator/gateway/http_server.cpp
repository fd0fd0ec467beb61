// SPDX-License-Identifier: Apache-2.0
#include "coordinator/gateway/http_server.hpp"

#include "coordinator/gateway/address.hpp"
#include "coordinator/gateway/http_connection.hpp"

#include <utility>

#include <boost/asio/steady_timer.hpp>

namespace sdfleet::coordinator::gateway {

namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

/// Before the next try when the system has no descriptor for one more connection.
constexpr std::chrono::milliseconds accept_pause{100};

} // namespace

/// Outlives the server as long as connections last; they do not touch the server itself.
class Listener : public std::enable_shared_from_this<Listener> {
public:
    Listener(boost::asio::io_context& io, ReadStatus read_status, const HttpLimits& limits)
        : acceptor_(io), pause_(io), read_status_(std::move(read_status)), limits_(limits)
    {
    }

    error_code open(const tcp::endpoint& address)
    {
        error_code error;
        acceptor_.open(address.protocol(), error);
        if (!error) {
            acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
        }
        if (!error) {
            acceptor_.bind(address, error);
        }
        if (!error) {
            acceptor_.listen(boost::asio::socket_base::max_listen_connections, error);
        }
        return error;
    }

    /// At the bound nobody is accepted until a connection ends, which it does within its deadline.
    void accept()
    {
        if (is_closed_ || is_accepting_ || open_connections_ >= limits_.connections) {
            return;
        }
        is_accepting_ = true;
        acceptor_.async_accept([self = shared_from_this()](const error_code& error, tcp::socket socket) {
            self->is_accepting_ = false;
            self->on_accept(error, std::move(socket));
        });
    }

    void close()
    {
        is_closed_ = true;
        error_code ignored;
        acceptor_.close(ignored);
        pause_.cancel();
    }

    tcp::endpoint address() const { return acceptor_.local_endpoint(); }

private:
    void on_accept(const error_code& error, tcp::socket socket)
    {
        if (is_closed_) {
            return;
        }
        if (error) {
            pause_.expires_after(accept_pause);
            pause_.async_wait([self = shared_from_this()](const error_code&) { self->accept(); });
            return;
        }
        ++open_connections_;
        const auto connection = std::make_shared<HttpConnection>(
            std::move(socket), limits_,
            [self = shared_from_this()](std::string_view target) { return self->respond(target); },
            [weak = weak_from_this()] {
                if (const auto self = weak.lock()) {
                    --self->open_connections_;
                    self->accept();
                }
            });
        connection->start();
        accept();
    }

    Answer respond(std::string_view target) const
    {
        constexpr unsigned unavailable = 503;
        return is_closed_ ? Answer{unavailable, "the coordinator stops\n"} : answer(target, read_status_);
    }

    tcp::acceptor acceptor_;
    boost::asio::steady_timer pause_;
    ReadStatus read_status_;
    HttpLimits limits_;
    std::size_t open_connections_ = 0;
    bool is_accepting_ = false;
    bool is_closed_ = false;
};

base::Result<HttpServer> HttpServer::listen(boost::asio::io_context& io, const tcp::endpoint& address,
                                            ReadStatus read_status, HttpLimits limits)
{
    auto listener = std::make_shared<Listener>(io, std::move(read_status), limits);
    if (const auto error = listener->open(address)) {
        return base::fail(base::ExitCode::failed, "--http " + to_string(address) + ": cannot listen there: " +
                                                      error.message() + "; choose another address or port");
    }
    listener->accept();
    return HttpServer(std::move(listener));
}

HttpServer::HttpServer(std::shared_ptr<Listener> listener) : listener_(std::move(listener)) {}

HttpServer::~HttpServer()
{
    if (listener_) {
        listener_->close();
    }
}

tcp::endpoint HttpServer::address() const
{
    return listener_->address();
}

} // namespace sdfleet::coordinator::gateway
