// SPDX-License-Identifier: Apache-2.0
// The core's part that decides which actor gets which item: pull, breadth first, jobs in turn.
#include "coordinator/core/core.hpp"

#include <algorithm>

namespace sdfleet::coordinator {

bool Core::has_room(const Node& node, const Actor& actor) const
{
    return node.state == proto::NodeState::alive && actor.state.phase == proto::ActorPhase::ready &&
           actor.in_flight.size() < limits_.in_flight_per_actor && actor.paused_until <= now_;
}

/// Every idle actor gets an item before a busy one gets one to stage.
void Core::dispatch()
{
    if (!failing_settlements_.empty()) {
        return; // results pile up already: more of them would only fill the memory
    }
    for (std::size_t depth = 0; depth < limits_.in_flight_per_actor && jobs_.has_queued(); ++depth) {
        for (auto& [id, node] : fleet_.nodes()) {
            for (auto& [slot, actor] : node.actors) {
                if (actor.in_flight.size() == depth && has_room(node, actor)) {
                    assign_next(node, actor);
                }
            }
        }
    }
    take_back();
}

bool Core::assign_next(Node& node, Actor& actor)
{
    std::optional<std::uint32_t> index;
    Job* job = jobs_.find_in_turn([&](const Job& candidate) {
        index = node.serves(candidate.spec().model) ? candidate.next_for({node.id, actor.state.slot}) : std::nullopt;
        return index.has_value();
    });
    if (job == nullptr) {
        return false;
    }
    jobs_.served(*job);
    assign(node, actor, *job, *index);
    return true;
}

/// An actor that found nothing in the queue may do what waits behind another actor's running item.
void Core::take_back()
{
    std::size_t asked_back = 0;
    for (const auto& [id, attempt] : attempts_) {
        asked_back += attempt.is_taken_back && attempt.stage != AttemptStage::cancelling ? 1 : 0;
    }
    for (const auto& [id, node] : fleet_.nodes()) {
        for (const auto& [slot, actor] : node.actors) {
            if (!actor.in_flight.empty() || !has_room(node, actor)) {
                continue;
            }
            if (asked_back > 0) {
                --asked_back; // this actor will get what is under way already
            } else if (!take_back_for(node)) {
                continue;
            }
        }
    }
}

bool Core::take_back_for(const Node& idle)
{
    for (const auto& [id, node] : fleet_.nodes()) {
        if (node.state != proto::NodeState::alive) {
            continue;
        }
        for (const auto& [slot, actor] : node.actors) {
            if (actor.in_flight.size() < 2) {
                continue;
            }
            Attempt& staged = attempts_.at(actor.in_flight.back());
            const Job* job = jobs_.find(staged.item.job_id);
            if (staged.stage == AttemptStage::accepted && !staged.is_taken_back && job != nullptr &&
                idle.serves(job->spec().model) && !job->is_pinned(staged.item.index.value)) {
                staged.is_taken_back = true;
                ++counters_.taken_back;
                send(node.control, proto::CancelAttempt{staged.id});
                return true;
            }
        }
    }
    return false;
}

/// Items wait for their own actor only as long as it may come back.
void Core::release_pins()
{
    if (is_in_pin_grace_) {
        return;
    }
    for (auto& [id, job] : jobs_.all()) {
        for (const auto& [rank, actor] : job.awaited_actors()) {
            if (!fleet_.may_come_back(actor)) {
                job.release_rank(rank);
                is_queue_changed_ = true;
                log(LogLevel::info, "job " + id.value + ": " + proto::to_string(actor) + ", rank " +
                                        std::to_string(rank) + ", is gone; any actor draws its items");
            }
        }
    }
}

/// Starts and stops the patience with jobs that nobody can serve.
void Core::refresh_servability()
{
    std::map<std::string, bool> is_served;
    for (auto& [id, job] : jobs_.all()) {
        if (!job.has_queued() && !job.unservable_since) {
            continue;
        }
        const auto& model = job.spec().model;
        if (!is_served.contains(model)) {
            is_served[model] = fleet_.count_actors(model).not_failed() > 0;
        }
        if (is_served[model] || !job.has_queued()) {
            job.unservable_since.reset();
            timers_.cancel(UnservableTimer{id});
        } else if (!job.unservable_since) {
            job.unservable_since = now_;
            timers_.set(UnservableTimer{id}, now_ + options_.unservable_timeout);
        }
    }
}

void Core::on(const UnservableTimer& timer)
{
    Job* job = jobs_.find(timer.job_id);
    if (job == nullptr || !job->unservable_since || job->is_cancel_requested) {
        return;
    }
    const std::string why =
        describe_shortage(*job) + " for " + std::to_string((now_ - *job->unservable_since).count / 1000) + " s";
    job->unservable_since.reset();
    Settlement settlement{job->id(), {}, std::nullopt, std::nullopt};
    for (const auto index : job->queued_items()) {
        const Item& item = job->item(index);
        settlement.outcomes.push_back({{index},
                                       proto::ItemState::failed,
                                       {},
                                       item.actor,
                                       item.tries,
                                       {},
                                       {},
                                       0,
                                       0,
                                       item.story.empty() ? why : why + "; before: " + item.story});
        jobs_.dequeue(*job, index);
    }
    log(LogLevel::warning, "job " + job->id().value + ": " + why + "; its waiting items fail");
    if (!settlement.outcomes.empty()) {
        settle(std::move(settlement));
    }
}

/// For people: why the queued items of a job do not move. Empty when some of its items are being worked on.
std::string Core::explain_waiting(const Job& job) const
{
    if (job.count(proto::ItemState::queued) == 0 || job.is_cancelled ||
        job.count(proto::ItemState::assigned) + job.count(proto::ItemState::running) > 0) {
        return {};
    }
    if (!failing_settlements_.empty()) {
        return "the coordinator cannot write results: " + storage_fault_;
    }
    return describe_shortage(job);
}

std::string Core::describe_shortage(const Job& job) const
{
    if (!fleet_.has_live_node()) {
        return "no node has joined";
    }
    const auto& model = job.spec().model;
    const std::string with = model.empty() ? "" : " with model '" + model + "'";
    if (!fleet_.has_live_node_with(model)) {
        return "no live node serves model '" + model + "'";
    }
    const auto census = fleet_.count_actors(model);
    if (census.ready > 0) {
        return std::to_string(census.ready) + " actors" + with + " are ready, but busy or about to be given work";
    }
    std::string others;
    const auto add = [&others](std::size_t count, const char* phase) {
        if (count > 0) {
            others += (others.empty() ? "" : ", ") + std::to_string(count) + " " + phase;
        }
    };
    add(census.starting, "starting");
    add(census.restarting, "restarting");
    add(census.failed, "failed");
    return "no actor" + with + " is ready" + (others.empty() ? "" : ": " + others);
}

} // namespace sdfleet::coordinator
