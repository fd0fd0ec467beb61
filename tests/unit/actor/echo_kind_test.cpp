// SPDX-License-Identifier: Apache-2.0
#include "actor/echo_kind.hpp"

#include "tests/catch.hpp"

#include <chrono>
#include <thread>
#include <vector>

using namespace sdfleet;
using namespace std::chrono_literals;

namespace {

proto::Assign echo_of(const std::string& prompt, std::uint32_t delay_ms = 0, std::uint32_t result_bytes = 0)
{
    proto::Assign assign;
    assign.parameters.kind = proto::EchoParameters{delay_ms, result_bytes};
    assign.item.prompt = prompt;
    return assign;
}

std::string text_of(const actor::Product& product)
{
    const auto& bytes = product.content.bytes;
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

actor::WorkContext quiet(std::stop_token token = {})
{
    return {std::move(token), [](std::uint32_t, std::uint32_t) {}};
}

} // namespace

TEST_CASE("an echo is its prompt, or the prompt repeated up to a size")
{
    actor::EchoKind echo;

    REQUIRE(text_of(*echo.handle(echo_of("abc"), quiet())) == "abc");
    REQUIRE(text_of(*echo.handle(echo_of("abc", 0, 8), quiet())) == "abcabcab");
    REQUIRE(text_of(*echo.handle(echo_of("abc", 0, 2), quiet())) == "ab");
    REQUIRE(text_of(*echo.handle(echo_of("", 0, 9), quiet())).empty());
}

TEST_CASE("an echo takes as long as it is told, and reports ten steps")
{
    actor::EchoKind echo;
    std::vector<std::uint32_t> steps;
    const auto start = std::chrono::steady_clock::now();

    const auto outcome =
        echo.handle(echo_of("abc", 50), {{}, [&](std::uint32_t step, std::uint32_t) { steps.push_back(step); }});

    REQUIRE(outcome);
    REQUIRE(std::chrono::steady_clock::now() - start >= 50ms);
    REQUIRE(steps == std::vector<std::uint32_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
}

TEST_CASE("a cancelled echo stops at once")
{
    actor::EchoKind echo;
    std::stop_source stop;
    std::thread canceller([&] { stop.request_stop(); });

    const auto outcome = echo.handle(echo_of("abc", 600'000), quiet(stop.get_token()));
    canceller.join();

    REQUIRE_FALSE(outcome);
    REQUIRE(outcome.error().reason == proto::FailureReason::cancelled);
}

TEST_CASE("what is no echo is refused")
{
    actor::EchoKind echo;
    proto::Assign picture;

    REQUIRE(echo.handle(picture, quiet()).error().reason == proto::FailureReason::bad_request);
    REQUIRE(echo.handle(echo_of("a", 0, proto::max_echo_bytes + 1), quiet()).error().reason ==
            proto::FailureReason::bad_request);
}
