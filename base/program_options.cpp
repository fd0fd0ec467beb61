// SPDX-License-Identifier: Apache-2.0
#include "base/program_options.hpp"

#include "base/json_log.hpp"
#include "base/log.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace sdfleet::base {

namespace {

bool is_json_wanted = false; ///< by --log-format

void set_up_logging(const std::string& program)
{
    auto logger = spdlog::stderr_color_mt(program);
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %n: %v");
    spdlog::set_default_logger(std::move(logger));
}

/// CLI11 says of an unknown command only that a command is missing.
std::string message_of(const CLI::ParseError& error, const CLI::App& app)
{
    const auto rest = app.remaining();
    const auto commands = app.get_subcommands({});
    if (rest.empty() || rest.front().starts_with('-') || commands.empty() || !app.get_subcommands().empty()) {
        return error.what();
    }
    std::string names;
    for (const CLI::App* command : commands) {
        names += (names.empty() ? "" : ", ") + command->get_name();
    }
    return "there is no command '" + rest.front() + "'; the commands are: " + names;
}

} // namespace

void add_common_options(CLI::App& app, const std::string& program)
{
    set_up_logging(program);
    app.name(program);
    app.set_version_flag("--version", program + " " + SDFLEET_VERSION);
    app.set_config("--config", "", "Read options from an INI or TOML file; the command line wins");
    app.add_option_function<std::string>(
           "--log-level", [](const std::string& level) { spdlog::set_level(spdlog::level::from_str(level)); },
           "How much to log to stderr: trace, debug, info, warn, error, off")
        ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}))
        ->default_str("info");
    app.add_option_function<std::string>(
           "--log-format",
           [](const std::string& format) {
               is_json_wanted = format == "json";
               if (is_json_wanted) {
                   spdlog::default_logger()->set_formatter(make_json_formatter());
               }
           },
           "How the log looks: text, or json for one object a line")
        ->check(CLI::IsMember({"text", "json"}))
        ->default_str("text");
}

std::string log_format()
{
    return is_json_wanted ? "json" : "text";
}

int parse_and_run(CLI::App& app, int argc, const char* const* argv, const std::function<ExitCode()>& run)
{
    try {
        app.parse(argc, argv);
        return to_int(run());
    } catch (const CLI::Success& help_or_version) {
        return app.exit(help_or_version);
    } catch (const CLI::ParseError& error) {
        return to_int(report(app.get_name(), {ExitCode::usage, message_of(error, app) + " (see --help)"}));
    } catch (const std::exception& error) {
        return to_int(report(app.get_name(), {ExitCode::failed, error.what()}));
    }
}

ExitCode report(const std::string& program, const Error& error)
{
    // One line, whatever names from hostile files the message has in it.
    constexpr std::size_t longest = 2000;
    if (is_json_wanted) {
        const auto now = std::chrono::system_clock::now();
        std::fprintf(stderr, "%s\n", json_line(now, "error", program, error.message, log_subject()).c_str());
        return error.code;
    }
    std::string line = program + ": " + error.message;
    if (line.size() > longest) {
        line = line.substr(0, longest) + "...";
    }
    std::replace_if(
        line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
    std::fprintf(stderr, "%s\n", line.c_str());
    return error.code;
}

} // namespace sdfleet::base
