// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/sim/answer_watch.hpp"
#include "tests/sim/environment.hpp"
#include "tests/sim/lease_watch.hpp"
#include "tests/sim/ledger.hpp"
#include "tests/sim/priority_watch.hpp"

namespace sdfleet::sim {

/// All that is checked about the coordinator from outside, told as it happens. Another invariant is another member here.
class Checker {
public:
    Checker(Environment& environment, const DurableState& disk)
        : ledger(disk, environment.scenario.options), environment_(environment), disk_(disk),
          leases_(environment.scenario.options)
    {
    }

    void coordinator_starts()
    {
        ledger.coordinator_starts();
        leases_.coordinator_starts();
        priorities_.coordinator_starts(disk_);
        answers_.coordinator_starts();
    }

    void before_step(const coordinator::Event& event, std::optional<coordinator::Milliseconds> deadline)
    {
        if (const auto* packet = std::get_if<coordinator::PacketReceived>(&event)) {
            ledger.coordinator_hears(packet->message);
        }
        leases_.before_step(event, deadline, environment_.now());
        priorities_.before_step(event);
        answers_.before_step(event, environment_.now());
    }

    void after_step(const coordinator::Event& event, const coordinator::Effects& effects)
    {
        ledger.coordinator_decides(effects);
        leases_.after_step(event, effects);
        priorities_.after_step(effects);
        answers_.after_step(effects, environment_.now());
    }

    Ledger ledger;

private:
    Environment& environment_;
    const DurableState& disk_;
    LeaseWatch leases_;
    PriorityWatch priorities_;
    AnswerWatch answers_;
};

} // namespace sdfleet::sim
