// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/sim/environment.hpp"
#include "tests/sim/ledger.hpp"

namespace sdfleet::sim {

/// All that is checked about the coordinator from outside, told as it happens.
class Checker {
public:
    Checker(Environment& environment, const DurableState& disk) : ledger(disk, environment.scenario.options) {}

    void coordinator_starts() { ledger.coordinator_starts(); }
    void coordinator_hears(const coordinator::PacketReceived& packet) { ledger.coordinator_hears(packet.message); }
    void leaves(const coordinator::Send& send) { ledger.leaves(send); }
    void becomes_durable(const coordinator::StoreOperation& operation) { ledger.becomes_durable(operation); }
    void check_end() const { ledger.check_end(); }

    Ledger ledger;
};

} // namespace sdfleet::sim
