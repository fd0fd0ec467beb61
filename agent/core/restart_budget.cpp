// SPDX-License-Identifier: Apache-2.0
#include "agent/core/restart_budget.hpp"

namespace sdfleet::agent {

std::optional<Milliseconds> RestartBudget::delay_after_death(Milliseconds now)
{
    while (!deaths_.empty() && deaths_.front() + limits_.restart_period <= now) {
        deaths_.pop_front();
    }
    if (deaths_.size() >= limits_.restarts) {
        return std::nullopt;
    }
    auto delay = limits_.restart_delay_first;
    for (std::size_t i = 0; i < deaths_.size() && delay < limits_.restart_delay_last; ++i) {
        delay *= 2;
    }
    deaths_.push_back(now);
    return std::min(delay, limits_.restart_delay_last);
}

} // namespace sdfleet::agent
