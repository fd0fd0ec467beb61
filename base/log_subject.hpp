// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace sdfleet::base {

/// The levels that a core may ask for. The shells have the line written by log_about.
enum class LogLevel { debug, info, warning, error };

/// What a log line is about, for programs that read the log; what is not known stays empty.
struct LogSubject {
    std::string job;
    std::optional<std::uint32_t> item; ///< its place in the job
    std::optional<std::uint64_t> attempt;
    std::string node;
    std::optional<std::uint32_t> actor; ///< its slot on the node

    bool operator==(const LogSubject&) const = default;
};

} // namespace sdfleet::base
