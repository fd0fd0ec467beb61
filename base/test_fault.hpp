// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace sdfleet::base {

/// Faults that a test injects at named points of a program, by two environment variables:
///   SDFLEET_TEST_EXIT_AT=NAME:N          the process is gone when it reaches the point NAME for the N-th time
///   SDFLEET_TEST_FAIL_AT=NAME:N[:COUNT]  from the N-th time on, COUNT times (1), the step there fails with EIO
/// The points stand where a crash or a full disk would hurt. Without the variables a point costs one branch.
class TestFaults {
public:
    enum class Action : std::uint8_t { none, exit, fail };

    /// Both as in the environment; empty means none. Throws std::invalid_argument with a line for people.
    TestFaults(std::string_view exit_at, std::string_view fail_at);

    /// Counts the visit. Any thread.
    Action reach(std::string_view point);

    static constexpr int exit_code = 86;

private:
    struct Rule {
        std::string point;
        std::uint64_t first = 1;
        std::uint64_t count = 1;
        std::uint64_t visits = 0;

        bool applies(std::string_view reached);
    };
    static Rule parse(const char* variable, std::string_view text, bool may_have_count);

    std::mutex mutex_;
    Rule exit_;
    Rule fail_;
};

namespace detail {
extern const bool are_test_faults_set;
bool reach_test_point(std::string_view point);
} // namespace detail

/// True, with errno = EIO, when the test wants the step at this point to fail. Does not return when it wants the process
/// to end here, as SIGKILL would: nothing is flushed, no destructor runs.
inline bool test_fault(std::string_view point)
{
    return detail::are_test_faults_set && detail::reach_test_point(point);
}

} // namespace sdfleet::base
