// SPDX-License-Identifier: Apache-2.0
// For tests: what must hold between the core's tables after every step.
#include "coordinator/core/core.hpp"

#include <algorithm>
#include <array>

namespace sdfleet::coordinator {

namespace {

std::optional<std::string> find_inconsistency_in(const Job& job)
{
    std::array<std::uint32_t, 6> counts{};
    for (std::uint32_t index = 0; index < job.size(); ++index) {
        ++counts[static_cast<std::size_t>(job.item(index).state)];
    }
    for (std::size_t state = 0; state < counts.size(); ++state) {
        if (counts[state] != job.count(static_cast<proto::ItemState>(state))) {
            return "job " + job.id().value + " miscounts state " + std::to_string(state);
        }
    }
    const auto queued = job.queued_items();
    const std::set<std::uint32_t> in_queue(queued.begin(), queued.end());
    for (std::uint32_t index = 0; index < job.size(); ++index) {
        const Item& item = job.item(index);
        const bool should_queue = job.is_committed && item.state == proto::ItemState::queued && item.settlement == 0;
        if (should_queue != in_queue.contains(index)) {
            return "item " + job.id().value + "/" + std::to_string(index) + (should_queue ? " fell out of" : " is in") +
                   " the queue";
        }
        const bool is_under_way = item.state == proto::ItemState::assigned || item.state == proto::ItemState::running;
        if (is_under_way && item.attempt.value == 0) {
            return "item " + job.id().value + "/" + std::to_string(index) + " is under way without an attempt";
        }
    }
    return std::nullopt;
}

} // namespace

/// The scheduler's shortcuts against what they abbreviate.
std::optional<std::string> Core::find_stale_index() const
{
    for (const auto& [id, node] : fleet_.nodes()) {
        for (const auto& [slot, actor] : node.actors) {
            const proto::ActorId actor_id{id, slot};
            if (has_room(node, actor) && !open_.at(level_of(actor)).contains(actor_id)) {
                return "actor " + proto::to_string(actor_id) + " has room that the scheduler does not see";
            }
            if (actor.batched != count_batched(actor)) {
                return "actor " + proto::to_string(actor_id) + " is miscounted in what it draws at once";
            }
            if ((actor.in_flight.size() > actor.batched) != staged_.contains(actor_id)) {
                return "actor " + proto::to_string(actor_id) + " is miscounted among those with staged work";
            }
        }
    }
    for (const auto attempt : taken_back_) {
        if (!attempts_.contains(attempt)) {
            return "attempt " + std::to_string(attempt.value) + " is awaited back, but over";
        }
    }
    for (const auto& [id, job] : jobs_.all()) {
        const auto turns = jobs_.ready().by_model().find(job.spec().model);
        const bool is_in_turn = turns != jobs_.ready().by_model().end() && turns->second.contains(job.turn());
        if (is_in_turn != (job.is_open() && job.has_unpinned() && job.spec().group == 0)) {
            return "job " + id.value + (is_in_turn ? " is in" : " fell out of") + " the order of turns";
        }
        for (const auto& [rank, actor] : job.awaited_actors()) {
            const auto pins = jobs_.ready().by_actor().find(actor);
            const bool waits =
                pins != jobs_.ready().by_actor().end() && pins->second.contains({job.turn().urgency, job.number()});
            if (waits != job.is_open()) {
                return "job " + id.value + " is " + (waits ? "" : "not ") + "waiting for " + proto::to_string(actor);
            }
        }
    }
    return std::nullopt;
}

std::optional<std::string> Core::find_inconsistency() const
{
    std::map<proto::ItemId, proto::AttemptId> live;
    for (const auto& [id, attempt] : attempts_) {
        const Actor* actor = fleet_.find(attempt.actor);
        if (actor == nullptr || std::count(actor->in_flight.begin(), actor->in_flight.end(), id) != 1) {
            return "attempt " + std::to_string(id.value) + " is not in flight at its actor";
        }
        if (attempt.stage == AttemptStage::cancelling) {
            continue;
        }
        live.emplace(attempt.item, id);
        const Job* job = jobs_.find(attempt.item.job_id);
        if (job == nullptr || !job->item(attempt.item.index.value).is_tried_by(id) ||
            job->item(attempt.item.index.value).settlement != 0) {
            return "attempt " + std::to_string(id.value) + " is not its item's";
        }
    }
    for (const auto& [id, node] : fleet_.nodes()) {
        for (const auto& [slot, actor] : node.actors) {
            if (node.state == proto::NodeState::lost && !actor.in_flight.empty()) {
                return "lost node " + id.value + " has work in flight";
            }
            for (const auto attempt : actor.in_flight) {
                if (!attempts_.contains(attempt)) {
                    return "an attempt in flight at " + id.value + " is not known";
                }
            }
        }
    }
    if (auto fault = find_stale_index()) {
        return fault;
    }
    for (const auto& [id, job] : jobs_.all()) {
        if (auto fault = find_inconsistency_in(job)) {
            return fault;
        }
        for (std::uint32_t index = 0; index < job.size(); ++index) {
            const Item& item = job.item(index);
            const bool is_under_way =
                item.state == proto::ItemState::assigned || item.state == proto::ItemState::running;
            if (is_under_way && item.settlement == 0 && !live.contains({id, {index}})) {
                return "item " + id.value + "/" + std::to_string(index) + " is under way, but nobody works on it";
            }
            if (item.copy.value != 0 && (!attempts_.contains(item.copy) || item.copy == item.attempt)) {
                return "item " + id.value + "/" + std::to_string(index) + " has a second attempt that is not there";
            }
            if (item.settlement != 0 && !settlements_.contains(item.settlement)) {
                return "item " + id.value + "/" + std::to_string(index) + " waits for a settlement that is not there";
            }
        }
    }
    return std::nullopt;
}

} // namespace sdfleet::coordinator
