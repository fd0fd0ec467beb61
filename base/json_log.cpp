// SPDX-License-Identifier: Apache-2.0
#include "base/json_log.hpp"

#include "base/log.hpp"

#include <ctime>

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

namespace sdfleet::base {

namespace {

using Json = nlohmann::ordered_json;

// The line's subject travels beside spdlog's message: our loggers write on the thread that calls them.
thread_local const LogSubject* subject_of_line = nullptr;
LogSubject subject_of_process;

std::string utc_text(std::chrono::system_clock::time_point time)
{
    const auto since_1970 = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_1970);
    const std::time_t whole = seconds.count();
    std::tm parts{};
    ::gmtime_r(&whole, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, (since_1970 - seconds).count());
}

LogSubject with_process(LogSubject subject)
{
    if (subject.node.empty()) {
        subject.node = subject_of_process.node;
    }
    if (!subject.actor) {
        subject.actor = subject_of_process.actor;
    }
    return subject;
}

spdlog::level::level_enum to_spdlog(LogLevel level)
{
    switch (level) {
    case LogLevel::debug:
        return spdlog::level::debug;
    case LogLevel::info:
        return spdlog::level::info;
    case LogLevel::warning:
        return spdlog::level::warn;
    case LogLevel::error:
        return spdlog::level::err;
    }
    return spdlog::level::info;
}

class JsonFormatter final : public spdlog::formatter {
public:
    void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override
    {
        const auto level = spdlog::level::to_string_view(message.level);
        const auto line = json_line(message.time, {level.data(), level.size()},
                                    {message.logger_name.data(), message.logger_name.size()},
                                    {message.payload.data(), message.payload.size()},
                                    with_process(subject_of_line != nullptr ? *subject_of_line : LogSubject{})) +
                          "\n";
        out.append(line.data(), line.data() + line.size());
    }

    std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(); }
};

} // namespace

std::string json_line(std::chrono::system_clock::time_point time, std::string_view level, std::string_view program,
                      std::string_view message, const LogSubject& subject)
{
    Json line{{"ts", utc_text(time)}, {"level", level}, {"program", program}, {"message", message}};
    if (!subject.job.empty()) {
        line["job"] = subject.job;
    }
    if (subject.item) {
        line["item"] = *subject.item;
    }
    if (subject.attempt) {
        line["attempt"] = *subject.attempt;
    }
    if (!subject.node.empty()) {
        line["node"] = subject.node;
    }
    if (subject.actor) {
        line["actor"] = *subject.actor;
    }
    return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::unique_ptr<spdlog::formatter> make_json_formatter()
{
    return std::make_unique<JsonFormatter>();
}

void log_about(LogLevel level, const std::string& text, const LogSubject& subject)
{
    subject_of_line = &subject;
    spdlog::log(to_spdlog(level), "{}", text);
    subject_of_line = nullptr;
}

void set_log_subject(LogSubject subject)
{
    subject_of_process = std::move(subject);
}

const LogSubject& log_subject()
{
    return subject_of_process;
}

} // namespace sdfleet::base
