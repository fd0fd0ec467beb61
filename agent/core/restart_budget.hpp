// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/core/settings.hpp"

#include <deque>
#include <optional>

namespace sdfleet::agent {

/// How often, and how soon, one actor may be started again: so many deaths within a period, each with twice the delay of
/// the one before. The intensity rule of Erlang's supervisors.
class RestartBudget {
public:
    explicit RestartBudget(const Limits& limits) : limits_(limits) {}

    /// To be called at each death: the time to wait before the next start; nothing when the budget is spent.
    std::optional<Milliseconds> delay_after_death(Milliseconds now);

private:
    Limits limits_;
    std::deque<Milliseconds> deaths_; ///< within the period
};

} // namespace sdfleet::agent
