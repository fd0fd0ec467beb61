// SPDX-License-Identifier: Apache-2.0
#include "base/json_log.hpp"

#include "base/log.hpp"
#include "tests/catch.hpp"

#include <sstream>

#include <nlohmann/json.hpp>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

using namespace sdfleet::base;

namespace {

using Json = nlohmann::json;
constexpr auto noon = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'700'000'000'123));

/// The default logger writes JSON into a string until the end of the scope.
class Captured {
public:
    Captured() : before_(spdlog::default_logger())
    {
        auto logger = std::make_shared<spdlog::logger>("agent", std::make_shared<spdlog::sinks::ostream_sink_st>(out_));
        logger->set_formatter(make_json_formatter());
        spdlog::set_default_logger(std::move(logger));
    }
    ~Captured()
    {
        set_log_subject({});
        spdlog::set_default_logger(before_);
    }
    std::vector<Json> lines() const
    {
        std::vector<Json> lines;
        std::istringstream text(out_.str());
        for (std::string line; std::getline(text, line);) {
            lines.push_back(Json::parse(line));
        }
        return lines;
    }

private:
    std::shared_ptr<spdlog::logger> before_;
    std::ostringstream out_;
};

} // namespace

TEST_CASE("a line is an object with time, level, program, message and only the ids that are known")
{
    REQUIRE(json_line(noon, "info", "agent", "hello", {}) ==
            R"({"ts":"2023-11-14T22:13:20.123Z","level":"info","program":"agent","message":"hello"})");
    const auto line = Json::parse(json_line(noon, "info", "agent", "hello", {"j", 0, 7, "node-a", 1}));
    REQUIRE(line["job"] == "j");
    REQUIRE(line["item"] == 0);
    REQUIRE(line["attempt"] == 7);
    REQUIRE(line["node"] == "node-a");
    REQUIRE(line["actor"] == 1);
}

TEST_CASE("a message with quotes, line ends, zeros and bytes that are not UTF-8 stays one parsable line")
{
    const std::string hostile = std::string("say \"hi\"\nand\t\\ leave\x1b[31m") + '\0' + "\xff\xc0 \u2028";
    const auto line = json_line(noon, "info", "agent", hostile, {hostile, {}, {}, {}, {}});
    REQUIRE(line.find('\n') == std::string::npos);
    const auto message = Json::parse(line)["message"].get<std::string>();
    REQUIRE(message.starts_with("say \"hi\"\nand\t\\ leave\x1b[31m"));
    REQUIRE(message.find("\uFFFD") != std::string::npos);
}

TEST_CASE("the subject of a line wins over that of the process, and lasts for that line")
{
    const Captured log;
    set_log_subject({"", {}, {}, "node-a", {}});
    log_about(LogLevel::warning, "one", {"j", 3, {}, "node-b", 2});
    spdlog::info("two");

    const auto lines = log.lines();
    REQUIRE(lines.size() == 2);
    REQUIRE(lines[0]["node"] == "node-b");
    REQUIRE(lines[0]["item"] == 3);
    REQUIRE(lines[0]["level"] == "warning");
    REQUIRE(lines[1]["node"] == "node-a");
    REQUIRE_FALSE(lines[1].contains("job"));
    REQUIRE(lines[1]["program"] == "agent");
}
