// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/sim/rank_process.hpp"
#include "tests/sim/rank_watch.hpp"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace sdfleet::sim {

/// The ranks of one agent's life: carries out what its core wants done with them.
class RankHost {
public:
    RankHost(Environment& environment, RankWatch& watch, std::string name, RankProcess::Happens happens)
        : environment_(environment), watch_(watch), name_(std::move(name)), happens_(std::move(happens))
    {
    }

    /// Which slots the ranks will have: SpawnRank does not say it.
    void hear(const agent::Event& event);

    /// `is_taken` tells whether an actor lives in a slot.
    void spawn(const agent::SpawnRank& spawn, const std::function<bool(proto::Slot)>& is_taken);
    void end(const agent::EndRank& end);
    void read(const agent::ReadOutput& read);
    void choose_port(const agent::ChoosePort& choose);
    void send(const agent::SendToRank& send);
    void vanish(); ///< all of them, with their agent

    bool has_rank_in(proto::Slot slot) const;
    bool is_busy() const;

private:
    using Key = std::pair<proto::ProgramRun, proto::Rank>;

    std::shared_ptr<RankProcess> find(const proto::ProgramRun& run, proto::Rank rank) const;

    Environment& environment_;
    RankWatch& watch_;
    std::string name_;
    RankProcess::Happens happens_;
    std::map<Key, std::vector<proto::Slot>> slots_;
    std::map<Key, std::shared_ptr<RankProcess>> ranks_;
};

} // namespace sdfleet::sim
