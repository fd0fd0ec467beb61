// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/program_messages.hpp"
#include "tests/sim/agenda.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sdfleet::sim {

class RankProcess;

/// I16 as all agents together have to keep it: when a try of a program begins, those before it are over; a node that could
/// not know has as long as its lease.
class RankWatch {
public:
    explicit RankWatch(Time lease_ms) : lease_ms_(lease_ms) {}

    /// Programs are not stored: those that are launched from now on have nothing to do with those before.
    void coordinator_starts() { tries_.clear(); }

    void starts(const std::shared_ptr<RankProcess>& rank, Time now);

    /// An agent that stands still can do nothing about its ranks; one that said SIGKILL has done all.
    void check(const std::string& host, Time now) const;

private:
    static constexpr Time reaction_ms = 50;
    struct Try {
        Time began_at = 0;
        std::vector<std::weak_ptr<RankProcess>> ranks;
    };

    Time lease_ms_;
    std::map<proto::ProgramId, std::map<proto::Epoch, Try>> tries_;
};

} // namespace sdfleet::sim
