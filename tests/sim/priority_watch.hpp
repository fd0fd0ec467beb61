// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/effects.hpp"
#include "tests/sim/durable_state.hpp"

#include <map>
#include <set>
#include <string>

namespace sdfleet::sim {

/// I14: nothing is given out while an item of a higher priority, of the same model, waits. Knows only items that wait for
/// certain: of jobs that any actor may draw, and never given out in this life of the coordinator.
class PriorityWatch {
public:
    void coordinator_starts(const DurableState& disk);
    void before_step(const coordinator::Event& event);
    void after_step(const coordinator::Effects& effects);

private:
    struct Job {
        std::string model;
        std::int32_t priority = 0;
        std::set<proto::ItemIndex> waiting;
    };

    void add(const coordinator::InsertJob& insert);
    void assign(const proto::Assign& assign);
    void take(const proto::JobId& job, proto::ItemIndex index);

    std::map<proto::JobId, Job> jobs_;
    std::map<coordinator::Ticket, coordinator::InsertJob> submits_; ///< on their way to the disk
};

} // namespace sdfleet::sim
