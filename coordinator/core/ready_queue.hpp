// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/job.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace sdfleet::coordinator {

/// The jobs with items that may be given out now, by what an actor must have to take one, in the order of their turns.
///
/// A higher priority always goes first. Jobs of one priority share the fleet's time by start-time fair queueing (Goyal,
/// Vin, Cheng: "Start-time Fair Queueing", 1996): each has had `service` milliseconds of actors, who had least is next,
/// and a job that comes, or comes back, starts where the one served last stood, so that it neither starves the others
/// nor waits for them to end.
class ReadyQueue {
public:
    /// Call after the job's queue, or its permission to be served, changed.
    void refresh(Job& job);

    /// Call after items pinned to this actor were queued or left the queue.
    void refresh_pin(const Job& job, std::uint32_t rank);

    void remove(Job& job);

    /// An item that will take an actor about this long was taken from the job.
    void charge(Job& job, std::uint64_t cost_ms);

    /// The item took this long instead of what was charged.
    void correct(Job& job, std::uint64_t charged_ms, std::uint64_t took_ms);

    bool empty() const { return by_model_.empty() && by_actor_.empty(); }

    /// Jobs with items that any actor with the model may take. No empty sets.
    const std::map<std::string, std::set<Turn>>& by_model() const { return by_model_; }

    /// Where a pinned item of a job waits: by urgency, then in the order of submits.
    struct Pin {
        std::int64_t urgency = 0;
        std::uint64_t number = 0;

        auto operator<=>(const Pin&) const = default;
    };

    /// Jobs with items for just one actor. No empty sets.
    const std::map<proto::ActorId, std::set<Pin>>& by_actor() const { return by_actor_; }

private:
    void insert(Job& job);
    void erase(const Job& job);
    void move_to(Job& job, std::uint64_t service);

    std::map<std::string, std::set<Turn>> by_model_;
    std::map<proto::ActorId, std::set<Pin>> by_actor_;
    std::map<std::int64_t, std::uint64_t>
        virtual_time_; ///< by urgency: the service of the job served last, when it was
};

} // namespace sdfleet::coordinator
