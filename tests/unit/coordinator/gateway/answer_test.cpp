// SPDX-License-Identifier: Apache-2.0
#include "coordinator/gateway/answer.hpp"

#include "coordinator/gateway/address.hpp"
#include "coordinator/gateway/metrics.hpp"
#include "tests/catch.hpp"

#include <cstdint>
#include <sstream>
#include <string>

using namespace sdfleet;
using namespace sdfleet::coordinator::gateway;

namespace {

proto::Status busy_fleet()
{
    proto::Status status;
    status.software = "1.2.3";
    status.nodes_alive = 2;
    status.actors_busy = 3;
    status.actors_idle = 1;
    status.items_done_total = 42;
    status.bytes_stored = 5'000;
    status.uptime_ms = 1'500;
    status.dispatch = {{1'000, 2}, {2'000, 0}, {100'000'000, 3}, {UINT64_MAX, 1}};
    status.dispatch_sum_us = 250'500'000;
    return status;
}

bool has_line(const std::string& text, const std::string& line)
{
    std::istringstream lines(text);
    for (std::string one; std::getline(lines, one);) {
        if (one == line) {
            return true;
        }
    }
    return false;
}

} // namespace

TEST_CASE("metrics tell the fleet's numbers with their units, labels and help")
{
    const auto text = metrics_text(busy_fleet());
    INFO(text);
    REQUIRE(has_line(text, "sdfleet_items_done_total 42"));
    REQUIRE(has_line(text, "# TYPE sdfleet_items_done_total counter"));
    REQUIRE(has_line(text, "# HELP sdfleet_items_done_total Items that ended with a result."));
    REQUIRE(has_line(text, "sdfleet_actors{state=\"busy\"} 3"));
    REQUIRE(has_line(text, "sdfleet_actors{state=\"idle\"} 1"));
    REQUIRE(has_line(text, "sdfleet_nodes{state=\"alive\"} 2"));
    REQUIRE(has_line(text, "sdfleet_stored_bytes 5000"));
    REQUIRE(has_line(text, "sdfleet_uptime_seconds 1.5"));
    REQUIRE(has_line(text, "sdfleet_build_info{version=\"1.2.3\"} 1"));
}

TEST_CASE("a bucket of the histogram of dispatch times holds those below it too")
{
    const auto text = metrics_text(busy_fleet());
    INFO(text);
    REQUIRE(has_line(text, "# TYPE sdfleet_dispatch_seconds histogram"));
    REQUIRE(has_line(text, "sdfleet_dispatch_seconds_bucket{le=\"0.001\"} 2"));
    REQUIRE(has_line(text, "sdfleet_dispatch_seconds_bucket{le=\"0.002\"} 2"));
    REQUIRE(has_line(text, "sdfleet_dispatch_seconds_bucket{le=\"100\"} 5"));
    REQUIRE(has_line(text, "sdfleet_dispatch_seconds_bucket{le=\"+Inf\"} 6"));
    REQUIRE(has_line(text, "sdfleet_dispatch_seconds_count 6"));
    REQUIRE(has_line(text, "sdfleet_dispatch_seconds_sum 250.5"));
}

TEST_CASE("a fleet is ready with one ready actor and a disk that takes results")
{
    auto status = busy_fleet();
    REQUIRE(readiness(status).status_code == 200);

    SECTION("not while results cannot be written; the reason stays one line")
    {
        status.storage_fault = "no space\nleft";
        const auto answer = readiness(status);
        REQUIRE(answer.status_code == 503);
        REQUIRE(answer.body == "results cannot be written: no space left\n");
    }
    SECTION("not without a ready actor")
    {
        status.actors_busy = 0;
        status.actors_idle = 0;
        status.actors_starting = 2;
        const auto answer = readiness(status);
        REQUIRE(answer.status_code == 503);
        REQUIRE(answer.body == "no actor is ready: 2 starting, 0 failed, 2 nodes alive\n");
    }
}

TEST_CASE("health does not ask for the fleet's numbers, unknown paths do neither")
{
    int reads = 0;
    const auto read = [&reads] {
        ++reads;
        return busy_fleet();
    };
    REQUIRE(answer("/healthz", read).body == "ok\n");
    REQUIRE(answer("/", read).status_code == 404);
    REQUIRE(answer("/metrics/..", read).status_code == 404);
    REQUIRE(reads == 0);
    REQUIRE(answer("/metrics?x=1", read).content_type == metrics_content_type);
    REQUIRE(answer("/readyz", read).body == "ready\n");
    REQUIRE(reads == 2);
}

TEST_CASE("an address is numbers and a port")
{
    REQUIRE(to_string(*parse_address("127.0.0.1:7421")) == "127.0.0.1:7421");
    REQUIRE(to_string(*parse_address("[::1]:7421")) == "[::1]:7421");
    REQUIRE(to_string(*parse_address("localhost:80")) == "127.0.0.1:80");
    REQUIRE(parse_address("127.0.0.1:*")->port() == 0);
    for (const std::string wrong : {"", "7421", ":7421", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
                                    "127.0.0.1:-1", "127.0.0.1:80x", "::1:80", "[::1", "example.org:80", "[]:80"}) {
        INFO(wrong);
        const auto address = parse_address(wrong);
        REQUIRE_FALSE(address);
        REQUIRE(address.error().code == base::ExitCode::usage);
        REQUIRE(address.error().message.starts_with("--http " + wrong));
    }
}
