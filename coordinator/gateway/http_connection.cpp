// SPDX-License-Identifier: Apache-2.0
#include "coordinator/gateway/http_connection.hpp"

#include <limits>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

namespace sdfleet::coordinator::gateway {

namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

unsigned number_of(http::status status)
{
    return static_cast<unsigned>(status);
}

Answer explain(const error_code& error, std::uint32_t header_bytes)
{
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
        return {number_of(http::status::request_header_fields_too_large),
                "the request's header is longer than " + std::to_string(header_bytes) + " bytes\n"};
    }
    return {number_of(http::status::bad_request), "this is not an HTTP request: " + error.message() + "\n"};
}

bool is_parse_error(const error_code& error)
{
    return error.category() == http::make_error_code(http::error::bad_method).category() &&
           error != http::error::end_of_stream && error != http::error::partial_message;
}

} // namespace

HttpConnection::HttpConnection(boost::asio::ip::tcp::socket socket, const HttpLimits& limits, Respond respond,
                               std::function<void()> ended)
    : limits_(limits), respond_(std::move(respond)), ended_(std::move(ended)), stream_(std::move(socket)),
      buffer_(limits.header_bytes)
{
    parser_.header_limit(limits.header_bytes);
    // A body is refused by its header, whatever its size. (Beast 1.74 takes boost::none for a limit of 0.)
    parser_.body_limit(std::numeric_limits<std::uint64_t>::max());
}

HttpConnection::~HttpConnection()
{
    ended_();
}

/// The deadline is set once: it holds for everything together, however slowly bytes trickle.
void HttpConnection::start()
{
    stream_.expires_after(limits_.deadline);
    http::async_read_header(
        stream_, buffer_, parser_,
        [self = shared_from_this()](const error_code& error, std::size_t) { self->on_header(error); });
}

void HttpConnection::on_header(const error_code& error)
{
    if (is_parse_error(error)) {
        return send(explain(error, limits_.header_bytes));
    }
    if (error) {
        return; // closed, or too slow
    }
    const auto& request = parser_.get();
    if (request.method() != http::verb::get) {
        return send({number_of(http::status::method_not_allowed), "only GET is understood\n"});
    }
    if (parser_.chunked() || parser_.content_length().value_or(0) > 0) {
        return send({number_of(http::status::payload_too_large), "a request may have no body\n"});
    }
    send(respond_({request.target().data(), request.target().size()}));
}

void HttpConnection::send(Answer answer)
{
    response_.result(answer.status_code);
    response_.set(http::field::content_type, answer.content_type);
    response_.set(http::field::cache_control, "no-store");
    if (response_.result() == http::status::method_not_allowed) {
        response_.set(http::field::allow, "GET");
    }
    response_.keep_alive(false);
    response_.body() = std::move(answer.body);
    response_.prepare_payload();
    http::async_write(stream_, response_, [self = shared_from_this()](const error_code& error, std::size_t) {
        if (!error) {
            error_code ignored;
            self->stream_.socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
            self->read_away();
        }
    });
}

/// Closing with unread bytes would reset the connection, and the client might never see the answer.
void HttpConnection::read_away()
{
    stream_.async_read_some(boost::asio::buffer(unread_),
                            [self = shared_from_this()](const error_code& error, std::size_t bytes) {
                                self->unread_bytes_ += bytes;
                                if (!error && self->unread_bytes_ < self->limits_.unread_bytes) {
                                    self->read_away();
                                }
                            });
}

} // namespace sdfleet::coordinator::gateway
