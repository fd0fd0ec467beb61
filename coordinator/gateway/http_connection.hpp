// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/gateway/http_server.hpp"

#include <array>
#include <functional>
#include <memory>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace sdfleet::coordinator::gateway {

/// One request, one answer, and the end. Lives as long as it waits for something.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
public:
    using Respond = std::function<Answer(std::string_view target)>;

    /// `ended` is called once, when the connection is gone.
    HttpConnection(boost::asio::ip::tcp::socket socket, const HttpLimits& limits, Respond respond,
                   std::function<void()> ended);
    ~HttpConnection();
    HttpConnection(const HttpConnection&) = delete;
    HttpConnection& operator=(const HttpConnection&) = delete;

    void start();

private:
    void on_header(const boost::system::error_code& error);
    void send(Answer answer);
    void read_away();

    HttpLimits limits_;
    Respond respond_;
    std::function<void()> ended_;
    boost::beast::tcp_stream stream_;
    boost::beast::flat_buffer buffer_;
    boost::beast::http::request_parser<boost::beast::http::empty_body> parser_;
    boost::beast::http::response<boost::beast::http::string_body> response_;
    std::array<char, 4096> unread_{};
    std::size_t unread_bytes_ = 0;
};

} // namespace sdfleet::coordinator::gateway
