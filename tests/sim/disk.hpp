// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/effects.hpp"
#include "tests/sim/durable_state.hpp"
#include "tests/sim/environment.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <variant>

namespace sdfleet::sim {

class Checker;

/// The coordinator's disk. Database and artifact folder each do one thing after the other, take their time, and answer
/// by an event once it is done, or once it failed. A crash leaves some of what was under way done, and nothing half.
class Disk {
public:
    using Task = std::variant<coordinator::Persist, coordinator::SaveArtifact, coordinator::LoadArtifact,
                              coordinator::RemoveArtifact>;

    Disk(Environment& environment, Checker& checker) : environment_(environment), checker_(checker) {}

    /// To whom the answers go.
    void connect(std::function<void(coordinator::Event)> on_event) { on_event_ = std::move(on_event); }

    void push(Task task);
    void crash();
    void fill_up(Time until) { full_until_ = until; }
    const DurableState& state() const { return state_; }

private:
    struct Queue {
        std::deque<Task> tasks;
        bool is_busy = false;
    };

    Queue& queue_of(const Task& task) { return queues_.at(task.index() == 0 ? 0 : 1); }
    void work(Queue& queue);
    bool fails();
    coordinator::Event perform(const coordinator::Persist& task);
    coordinator::Event perform(const coordinator::SaveArtifact& task);
    coordinator::Event perform(const coordinator::LoadArtifact& task);
    coordinator::Event perform(const coordinator::RemoveArtifact& task);

    Environment& environment_;
    Checker& checker_;
    std::function<void(coordinator::Event)> on_event_;
    DurableState state_;
    std::array<Queue, 2> queues_; ///< database, artifacts
    std::uint64_t life_ = 0;      ///< answers to a process that crashed go nowhere
    Time full_until_ = 0;
};

} // namespace sdfleet::sim
