// SPDX-License-Identifier: Apache-2.0
// The core's part that decides which actor gets which item: actors pull, idle ones first, jobs in their turns.
#include "coordinator/core/core.hpp"

#include <algorithm>

namespace sdfleet::coordinator {

bool Core::has_room(const Node& node, const Actor& actor) const
{
    return node.state == proto::NodeState::alive && !node.is_draining &&
           actor.state.phase == proto::ActorPhase::ready &&
           (has_open_batch(actor) || actor.in_flight.size() - actor.batched < limits_.staged_per_actor) &&
           actor.paused_until <= now_ && actor.lent_to.value.empty() && actor.held_for.value.empty();
}

/// Keeps the indices over actors. Whoever uses them checks has_room() again: an actor may have lost its room, but none
/// that has room is missing.
void Core::note_room(const Node& node, Actor& actor)
{
    const proto::ActorId id{node.id, actor.state.slot};
    actor.batched = count_batched(actor);
    const auto level = has_room(node, actor) ? std::optional(level_of(actor)) : std::nullopt;
    if (actor.open_level != level) {
        if (actor.open_level) {
            open_[*actor.open_level].erase(id);
        }
        if (level) {
            open_[*level].insert(id);
        }
        actor.open_level = level;
    }
    if (actor.in_flight.size() > actor.batched) {
        staged_.insert(id);
    } else {
        staged_.erase(id);
    }
}

void Core::note_all_room()
{
    for (auto& actors : open_) {
        actors.clear();
    }
    staged_.clear();
    for (auto& [id, node] : fleet_.nodes()) {
        for (auto& [slot, actor] : node.actors) {
            actor.open_level.reset();
            note_room(node, actor);
        }
    }
}

/// Every idle actor gets an item before one joins what a busy one draws, small batches grow before large ones, and only
/// then an item is staged. When neither the queue grew nor the fleet changed, only the actors that have become freer since
/// may find something: all others were offered the same before.
void Core::dispatch()
{
    const auto freed = std::exchange(freed_, {});
    const auto newly_staged = std::exchange(newly_staged_, {});
    if (!failing_settlements_.empty()) {
        return; // results pile up already: more of them would only fill the memory
    }
    Offers offers;
    if (is_queue_changed_ || is_fleet_changed_) {
        for (std::size_t level = 0; level < open_.size(); ++level) {
            if (!open_[level].empty()) {
                offers.emplace(level, open_[level]);
            }
        }
    } else {
        for (const auto& id : freed) {
            if (const Actor* actor = fleet_.find(id)) {
                offers[level_of(*actor)].insert(id);
            }
        }
    }
    while (!offers.empty() && !jobs_.ready().empty()) {
        const auto next = offers.extract(offers.begin());
        offer(next.key(), next.mapped(), offers);
    }
    take_back(is_fleet_changed_ ? std::set(open_.front()) : freed, newly_staged);
    arm_speculation();
}

/// Those that have the right model in memory choose first. What they may be offered then goes into `later`, which holds
/// higher levels only.
void Core::offer(std::size_t level, const std::set<proto::ActorId>& actors, Offers& later)
{
    const bool is_joining = level > 0 && level < staged_level;
    for (const bool is_loaded_only : {true, false}) {
        for (const auto& id : actors) {
            Node* node = fleet_.find(id.node_id);
            Actor* actor = fleet_.find(id);
            if (actor == nullptr || (level != staged_level && level_of(*actor) != level) || !has_room(*node, *actor) ||
                (is_loaded_only && !jobs_.ready().by_model().contains(actor->model))) {
                continue;
            }
            Job* job = is_joining ? choose_mate(*node, *actor) : choose_job(*node, *actor);
            if (job != nullptr) {
                assign(*node, *actor, *job, *job->next_for(id));
            }
            const auto next_level = job == nullptr ? staged_level : level_of(*actor);
            if (next_level > level && has_room(*node, *actor)) {
                later[next_level].insert(id);
            }
        }
    }
}

/// The job whose turn it is among those that the actor can serve. To change the model costs time, so a job of the model
/// that the actor has in memory may run ahead of its turn, up to `model_stay`; never ahead of a higher priority.
Job* Core::choose_job(const Node& node, const Actor& actor)
{
    Job* best = nullptr;
    Job* loaded = nullptr;
    if (const auto pins = jobs_.ready().by_actor().find({node.id, actor.state.slot});
        pins != jobs_.ready().by_actor().end()) {
        best = &jobs_.at(pins->second.begin()->number);
    }
    for (const auto& [model, turns] : jobs_.ready().by_model()) {
        if (!node.serves(model)) {
            continue;
        }
        Job* next = &jobs_.at(turns.begin()->number);
        best = best == nullptr || next->turn() < best->turn() ? next : best;
        loaded = model == actor.model ? next : loaded;
    }
    const auto stay = static_cast<std::uint64_t>(options_.model_stay.count);
    if (loaded != nullptr && loaded->turn().urgency == best->turn().urgency && loaded->service < best->service + stay) {
        return loaded;
    }
    return best;
}

/// An actor that found nothing in the queue may do what waits behind another actor's running item.
void Core::take_back(const std::set<proto::ActorId>& idle, const std::vector<proto::AttemptId>& newly_staged)
{
    for (const auto& id : idle) {
        if (taken_back_.size() >= open_.front().size() || staged_.empty()) {
            return; // enough is on its way back already
        }
        if (!open_.front().contains(id)) {
            continue;
        }
        for (const auto& busy : staged_) {
            if (take_back(fleet_.find(busy)->in_flight.back(), id)) {
                break;
            }
        }
    }
    for (const auto attempt : newly_staged) {
        for (const auto& id : open_.front()) {
            if (taken_back_.size() >= open_.front().size() || take_back(attempt, id)) {
                break;
            }
        }
    }
}

bool Core::take_back(proto::AttemptId id, const proto::ActorId& idle)
{
    const auto found = attempts_.find(id);
    if (found == attempts_.end() || found->second.stage != AttemptStage::accepted || taken_back_.contains(id)) {
        return false;
    }
    Attempt& staged = found->second;
    const Node& node = *fleet_.find(staged.actor.node_id);
    const Node& idle_node = *fleet_.find(idle.node_id);
    const Actor& idle_actor = *fleet_.find(idle);
    const Job& job = *jobs_.find(staged.item.job_id);
    if (!waits(staged) || staged.group_epoch.value != 0 || node.state != proto::NodeState::alive ||
        !has_room(idle_node, idle_actor) || !idle_node.serves(job.spec().model) ||
        job.is_pinned(staged.item.index.value) || !would_end_sooner(staged, idle_actor)) {
        return false;
    }
    taken_back_.insert(id);
    ++counters_.taken_back;
    send(node.control, proto::CancelAttempt{id});
    return true;
}

void Core::queue_grew(const Job& job)
{
    grown_jobs_.insert(job.id());
    is_queue_changed_ = true;
}

/// Items wait for their own actor only as long as it may come back.
void Core::release_pins()
{
    if (is_in_pin_grace_) {
        return;
    }
    std::vector<std::pair<proto::ActorId, std::uint64_t>> released;
    for (const auto& [actor, pins] : jobs_.ready().by_actor()) {
        if (fleet_.may_come_back(actor)) {
            continue;
        }
        for (const auto& pin : pins) {
            released.emplace_back(actor, pin.number);
        }
    }
    for (const auto& [actor, number] : released) {
        Job& job = jobs_.at(number);
        const auto rank = job.rank_of(actor);
        jobs_.release_rank(job, rank);
        log(LogLevel::info, "job " + job.id().value + ": " + proto::to_string(actor) + ", rank " +
                                std::to_string(rank) + ", is gone; any actor draws its items");
    }
}

/// Starts and stops the patience with the jobs of models that lost, or got back, their last actor.
void Core::refresh_servability()
{
    std::map<std::string, bool> before;
    before.swap(is_served_);
    for (const auto& [model, numbers] : jobs_.waiting()) {
        const bool is_served = fleet_.count_actors(model).not_failed() > 0;
        is_served_.emplace(model, is_served);
        if (const auto known = before.find(model); known != before.end() && known->second == is_served) {
            continue;
        }
        for (const auto number : numbers) {
            refresh_servability(jobs_.at(number));
        }
    }
}

void Core::refresh_servability(Job& job)
{
    bool is_patient = !job.has_queued();
    if (!is_patient) {
        const auto& model = job.spec().model;
        const auto [entry, is_new] = is_served_.try_emplace(model, false);
        entry->second = is_new ? fleet_.count_actors(model).not_failed() > 0 : entry->second;
        is_patient = entry->second;
    }
    if (is_patient && job.unservable_since) {
        job.unservable_since.reset();
        timers_.cancel(UnservableTimer{job.id()});
    } else if (!is_patient && !job.unservable_since) {
        job.unservable_since = now_;
        timers_.set(UnservableTimer{job.id()}, now_ + options_.unservable_timeout);
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
                                       item.past().actor,
                                       item.tries,
                                       {},
                                       {},
                                       0,
                                       0,
                                       item.past().story.empty() ? why : why + "; before: " + item.past().story});
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
    std::string others;
    const auto add = [&others](std::size_t count, const char* phase) {
        if (count > 0) {
            others += (others.empty() ? "" : ", ") + std::to_string(count) + " " + phase;
        }
    };
    add(census.busy, "busy");
    add(census.ready - census.busy, "about to be given work");
    add(census.starting, "starting");
    add(census.restarting, "restarting");
    add(census.failed, "failed");
    add(census.lent, "lent to programs");
    add(census.draining, "draining");
    return "no actor" + with + (census.ready > 0 ? " is free" : " is ready") + (others.empty() ? "" : ": " + others);
}

} // namespace sdfleet::coordinator
