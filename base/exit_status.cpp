// SPDX-License-Identifier: Apache-2.0
#include "base/exit_status.hpp"

#include <csignal>
#include <cstring>

namespace sdfleet::base {

std::string describe(const ExitStatus& status)
{
    if (const auto* exited = std::get_if<ExitedWith>(&status)) {
        return "exited with code " + std::to_string(exited->code);
    }
    const int signal = std::get<KilledBy>(status).signal;
    const char* name = sigabbrev_np(signal);
    return "was killed by " + (name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(signal));
}

} // namespace sdfleet::base
