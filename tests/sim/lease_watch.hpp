// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/effects.hpp"
#include "coordinator/core/options.hpp"
#include "tests/sim/agenda.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sdfleet::sim {

/// I3 as the coordinator has to keep it: an attempt whose node fell silent for a lease, or that a restart forgot, does not
/// count once its item was given to another, unless its agent reported it and was let keep it.
class LeaseWatch {
public:
    explicit LeaseWatch(const coordinator::Options& options) : options_(options) {}

    void coordinator_starts();
    void before_step(const coordinator::Event& event, std::optional<coordinator::Milliseconds> deadline, Time now);
    void after_step(const coordinator::Event& event, const coordinator::Effects& effects);

private:
    struct Attempt {
        proto::ItemId item;
        proto::NodeId node;
        bool is_confirmed = true;
        bool is_superseded = false;
    };

    void tick(coordinator::Milliseconds deadline, Time now);
    void adopt(const proto::AgentHello& hello, const coordinator::Effects& effects);
    void assign(const coordinator::Peer& peer, const proto::Assign& assign);
    void check(const coordinator::SettleItems& settle) const;

    coordinator::Options options_;
    std::map<std::string, proto::NodeId> node_of_peer_;
    std::map<proto::NodeId, Time> heard_;
    std::map<proto::AttemptId, Attempt> attempts_;
    std::map<proto::ItemId, std::set<proto::AttemptId>> of_item_;
};

} // namespace sdfleet::sim
