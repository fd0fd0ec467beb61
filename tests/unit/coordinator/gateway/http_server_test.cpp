// SPDX-License-Identifier: Apache-2.0
// The server over real sockets, with clients that follow the rules and clients that do not.
#include "coordinator/gateway/http_server.hpp"

#include "coordinator/gateway/address.hpp"
#include "tests/catch.hpp"

#include <chrono>
#include <list>
#include <string>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

using namespace sdfleet;
using namespace sdfleet::coordinator::gateway;
using namespace std::chrono_literals;
using boost::asio::ip::tcp;

namespace {

/// A server on a thread of its own, of a fleet that is not ready.
class Running {
public:
    explicit Running(HttpLimits limits = {})
        : server_(*HttpServer::listen(
              io_, *parse_address("127.0.0.1:*"), [] { return proto::Status{}; }, limits)),
          address(server_.address()), thread_([this] { io_.run(); })
    {
    }
    ~Running()
    {
        io_.stop();
        thread_.join();
    }

private:
    boost::asio::io_context io_;
    HttpServer server_;

public:
    const tcp::endpoint address;

private:
    std::thread thread_;
};

class HttpClient {
public:
    explicit HttpClient(const Running& server) : socket_(io_) { socket_.connect(server.address); }

    /// False when the server has closed the connection.
    bool send(const std::string& bytes)
    {
        boost::system::error_code error;
        boost::asio::write(socket_, boost::asio::buffer(bytes), error);
        return !error;
    }

    /// All that comes until the server closes.
    std::string read()
    {
        std::string answer;
        boost::system::error_code end;
        boost::asio::read(socket_, boost::asio::dynamic_buffer(answer), end);
        was_reset = end != boost::asio::error::eof;
        return answer;
    }

    std::string ask(const std::string& bytes)
    {
        send(bytes);
        return read();
    }

    void close() { socket_.close(); }

    bool was_reset = false;

private:
    boost::asio::io_context io_;
    tcp::socket socket_;
};

std::string get(const std::string& path)
{
    return "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n";
}

std::string body_of(const std::string& answer)
{
    return answer.substr(answer.find("\r\n\r\n") + 4);
}

} // namespace

TEST_CASE("a scraper gets what it asks for, and the end of the connection")
{
    const Running server;
    const auto health = HttpClient(server).ask(get("/healthz"));
    REQUIRE(health.starts_with("HTTP/1.1 200 OK\r\n"));
    REQUIRE(body_of(health) == "ok\n");
    REQUIRE(health.find("Connection: close\r\n") != std::string::npos);
    const auto metrics = HttpClient(server).ask(get("/metrics"));
    REQUIRE(metrics.find("Content-Type: text/plain; version=0.0.4") != std::string::npos);
    REQUIRE(body_of(metrics).find("\nsdfleet_items_done_total 0\n") != std::string::npos);
    REQUIRE(HttpClient(server).ask(get("/readyz")).starts_with("HTTP/1.1 503 "));
    REQUIRE(HttpClient(server).ask(get("/etc/passwd")).starts_with("HTTP/1.1 404 "));
}

TEST_CASE("only GET is understood")
{
    const Running server;
    for (const std::string method : {"HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT"}) {
        INFO(method);
        const auto answer = HttpClient(server).ask(method + " /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        REQUIRE(answer.starts_with("HTTP/1.1 405 "));
        REQUIRE(answer.find("Allow: GET\r\n") != std::string::npos);
    }
}

TEST_CASE("a body is refused by its header, and the refusal arrives although the body is on its way")
{
    const Running server;
    const std::string body(20'000, 'x');
    HttpClient client(server);
    const auto answer = client.ask("GET /healthz HTTP/1.1\r\nContent-Length: 20000\r\n\r\n" + body);
    REQUIRE(answer.starts_with("HTTP/1.1 413 "));
    const auto huge = HttpClient(server).ask("GET /healthz HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n");
    REQUIRE(huge.starts_with("HTTP/1.1 413 "));
    const auto chunked =
        HttpClient(server).ask("GET /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello");
    REQUIRE(chunked.starts_with("HTTP/1.1 413 "));
}

TEST_CASE("garbage and headers without end are refused in one line")
{
    const Running server;
    REQUIRE(HttpClient(server).ask("hello\r\n\r\n").starts_with("HTTP/1.1 400 "));
    REQUIRE(HttpClient(server).ask(std::string(100, '\0') + "\r\n\r\n").starts_with("HTTP/1.1 400 "));
    REQUIRE(HttpClient(server).ask("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n").starts_with("HTTP/1.1 400 "));
    const auto long_field = HttpClient(server).ask("GET / HTTP/1.1\r\nX: " + std::string(9'000, 'x'));
    REQUIRE(long_field.starts_with("HTTP/1.1 431 "));
    const auto long_target = HttpClient(server).ask("GET /" + std::string(9'000, 'x'));
    REQUIRE(long_target.starts_with("HTTP/1.1 431 "));
    REQUIRE(HttpClient(server).ask(get("/healthz")).starts_with("HTTP/1.1 200 "));
}

TEST_CASE("a client that says nothing, or trickles, is cut off at the deadline")
{
    HttpLimits limits;
    limits.deadline = 200ms;
    const Running server(limits);
    HttpClient silent(server);
    HttpClient trickling(server);

    while (trickling.send("G")) { // each byte is new; together they are too slow
        std::this_thread::sleep_for(20ms);
    }

    REQUIRE(silent.read().empty());
    REQUIRE(trickling.read().empty());
    REQUIRE(HttpClient(server).ask(get("/healthz")).starts_with("HTTP/1.1 200 "));
}

TEST_CASE("beyond the bound clients wait, and are served when others are gone")
{
    HttpLimits limits;
    limits.connections = 3;
    limits.deadline = 60s; // nobody leaves by itself
    const Running server(limits);
    std::list<HttpClient> idle;
    for (std::size_t i = 0; i < limits.connections; ++i) {
        idle.emplace_back(server);
    }
    HttpClient waiting(server);
    waiting.send(get("/healthz"));

    idle.front().close();

    REQUIRE(body_of(waiting.read()) == "ok\n");
}

TEST_CASE("clients that leave before they are answered do no harm")
{
    const Running server;
    for (int i = 0; i < 200; ++i) {
        HttpClient client(server);
        client.send(i % 2 == 0 ? "GET /metr" : get("/metrics"));
    }
    REQUIRE(HttpClient(server).ask(get("/healthz")).starts_with("HTTP/1.1 200 "));
}

TEST_CASE("an address in use is told in one line")
{
    const Running server;
    boost::asio::io_context io;
    const auto second = HttpServer::listen(io, server.address, [] { return proto::Status{}; });
    REQUIRE_FALSE(second);
    REQUIRE(second.error().code == base::ExitCode::failed);
    REQUIRE(second.error().message.find(to_string(server.address)) != std::string::npos);
    REQUIRE(second.error().message.find('\n') == std::string::npos);
}
