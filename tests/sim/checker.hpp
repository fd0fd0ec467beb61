// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/sim/answer_watch.hpp"
#include "tests/sim/brake_watch.hpp"
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
          silence_(environment.scenario.options), leases_(environment.scenario.options),
          brake_(environment.scenario.options)
    {
    }

    void coordinator_starts()
    {
        ledger.coordinator_starts();
        silence_.coordinator_starts();
        leases_.coordinator_starts();
        brake_.coordinator_starts();
        priorities_.coordinator_starts(disk_);
        answers_.coordinator_starts();
    }

    void before_step(const coordinator::Event& event, std::optional<coordinator::Milliseconds> deadline)
    {
        if (const auto* packet = std::get_if<coordinator::PacketReceived>(&event)) {
            ledger.coordinator_hears(packet->message);
        }
        silence_.before_step(event, deadline, environment_.now());
        leases_.before_step(event, silence_, environment_.now());
        brake_.before_step(silence_, environment_.now());
        priorities_.before_step(event);
        answers_.before_step(event, environment_.now());
    }

    void after_step(const coordinator::Event& event, const coordinator::Effects& effects)
    {
        ledger.coordinator_decides(effects);
        silence_.after_step(event, effects, environment_.now());
        leases_.after_step(event, silence_, effects);
        brake_.after_step(silence_, effects, environment_.now());
        priorities_.after_step(effects);
        answers_.after_step(effects, environment_.now());
    }

    Ledger ledger;

private:
    Environment& environment_;
    const DurableState& disk_;
    Silence silence_;
    LeaseWatch leases_;
    BrakeWatch brake_;
    PriorityWatch priorities_;
    AnswerWatch answers_;
};

} // namespace sdfleet::sim
