// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/log_subject.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include <spdlog/formatter.h>

namespace sdfleet::base {

/// One log line as a JSON object without line end: ts (UTC), level, program, message, and of job, item, attempt, node,
/// actor those that are known. Bytes that are not UTF-8 become U+FFFD.
std::string json_line(std::chrono::system_clock::time_point time, std::string_view level, std::string_view program,
                      std::string_view message, const LogSubject& subject);

/// Makes a logger write such lines. Of the process's own subject (set_log_subject) and that of the line (log_about) the
/// line's wins.
std::unique_ptr<spdlog::formatter> make_json_formatter();

} // namespace sdfleet::base
