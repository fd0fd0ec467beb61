// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <string>
#include <variant>

namespace sdfleet::base {

struct ExitedWith {
    int code = 0;
    auto operator<=>(const ExitedWith&) const = default;
};

struct KilledBy {
    int signal = 0;
    auto operator<=>(const KilledBy&) const = default;
};

/// How a process ended.
using ExitStatus = std::variant<ExitedWith, KilledBy>;

/// "exited with code 5", "was killed by SIGKILL".
std::string describe(const ExitStatus& status);

} // namespace sdfleet::base
