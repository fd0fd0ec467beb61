// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/effects.hpp"
#include "coordinator/core/options.hpp"
#include "tests/sim/agenda.hpp"
#include "tests/sim/silence.hpp"

#include <map>
#include <set>
#include <vector>

namespace sdfleet::sim {

/// I3 as the coordinator has to keep it: an attempt whose node fell silent for a lease, or that a restart forgot, does not
/// count once its item was given to another, unless its agent reported it and was let keep it.
class LeaseWatch {
public:
    explicit LeaseWatch(const coordinator::Options& options) : options_(options) {}

    void coordinator_starts();
    void before_step(const coordinator::Event& event, const Silence& silence, Time now);
    void after_step(const coordinator::Event& event, Silence& silence, const coordinator::Effects& effects);

private:
    struct Attempt {
        proto::ItemId item;
        proto::NodeId node;
        bool is_confirmed = true;
        bool is_superseded = false;
    };

    void adopt(const proto::AgentHello& hello, const coordinator::Effects& effects);
    void assign(const proto::NodeId& node, const proto::Assign& assign);
    void check(const coordinator::SettleItems& settle) const;

    coordinator::Options options_;
    bool is_braking_ = false;
    std::map<proto::AttemptId, Attempt> attempts_;
    std::map<proto::ItemId, std::set<proto::AttemptId>> of_item_;
};

} // namespace sdfleet::sim
