// SPDX-License-Identifier: Apache-2.0
#include "base/die_with_parent.hpp"

#include <charconv>
#include <csignal>
#include <cstdlib>
#include <string>

#include <sys/prctl.h>
#include <sys/types.h>
#include <unistd.h>

namespace sdfleet::base {

bool die_with_parent()
{
    const char* variable = std::getenv(parent_pid_variable);
    if (variable == nullptr) {
        return true;
    }
    const std::string text = variable;
    ::unsetenv(parent_pid_variable);
    pid_t expected_parent = 0;
    std::from_chars(text.data(), text.data() + text.size(), expected_parent);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // The parent may have died before the call above; then the signal never comes, but somebody else adopted us.
    return ::getppid() == expected_parent;
}

} // namespace sdfleet::base
