// SPDX-License-Identifier: Apache-2.0
#include "base/test_fault.hpp"

#include "base/exit_code.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include <unistd.h>

namespace sdfleet::base {

namespace {

constexpr const char* exit_variable = "SDFLEET_TEST_EXIT_AT";
constexpr const char* fail_variable = "SDFLEET_TEST_FAIL_AT";

std::string_view environment(const char* name)
{
    const char* value = std::getenv(name);
    return value == nullptr ? std::string_view() : value;
}

/// What stands before the next colon, and takes both away from `text`.
std::string_view take_field(std::string_view& text)
{
    const auto field = text.substr(0, text.find(':'));
    text.remove_prefix(std::min(field.size() + 1, text.size()));
    return field;
}

bool read_number(std::string_view text, std::uint64_t& number)
{
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    return read.ec == std::errc() && read.ptr == text.data() + text.size() && number > 0;
}

void say(const std::string& line)
{
    (void)::write(STDERR_FILENO, line.data(), line.size());
}

TestFaults& faults_of_environment()
{
    static TestFaults faults(environment(exit_variable), environment(fail_variable));
    return faults;
}

} // namespace

TestFaults::TestFaults(std::string_view exit_at, std::string_view fail_at)
    : exit_(parse(exit_variable, exit_at, false)), fail_(parse(fail_variable, fail_at, true))
{
}

TestFaults::Rule TestFaults::parse(const char* variable, std::string_view text, bool may_have_count)
{
    Rule rule;
    auto rest = text;
    rule.point = take_field(rest);
    const bool has_count = rest.find(':') != std::string_view::npos;
    const auto first = take_field(rest);
    const bool is_valid = text.empty() || (!rule.point.empty() && read_number(first, rule.first) &&
                                           (!has_count || (may_have_count && read_number(rest, rule.count))));
    if (!is_valid) {
        throw std::invalid_argument(std::string(variable) + "=" + std::string(text) + ": it is NAME:N" +
                                    (may_have_count ? "[:COUNT]" : "") + " with numbers from 1");
    }
    return rule;
}

bool TestFaults::Rule::applies(std::string_view reached)
{
    if (point.empty() || reached != point) {
        return false;
    }
    ++visits;
    return visits >= first && visits - first < count;
}

TestFaults::Action TestFaults::reach(std::string_view point)
{
    const std::lock_guard lock(mutex_);
    if (exit_.applies(point)) {
        return Action::exit;
    }
    return fail_.applies(point) ? Action::fail : Action::none;
}

namespace detail {

const bool are_test_faults_set = !environment(exit_variable).empty() || !environment(fail_variable).empty();

bool reach_test_point(std::string_view point)
{
    try {
        switch (faults_of_environment().reach(point)) {
        case TestFaults::Action::none:
            return false;
        case TestFaults::Action::exit:
            say("test fault: the process ends at " + std::string(point) + "\n");
            ::_exit(TestFaults::exit_code);
        case TestFaults::Action::fail:
            say("test fault: EIO at " + std::string(point) + "\n");
            errno = EIO;
            return true;
        }
    } catch (const std::invalid_argument& error) {
        say(std::string("error: ") + error.what() + "\n");
        ::_exit(to_int(ExitCode::usage));
    }
    return false;
}

} // namespace detail

} // namespace sdfleet::base
