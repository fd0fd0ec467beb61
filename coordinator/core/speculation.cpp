// SPDX-License-Identifier: Apache-2.0
// The core's part that judges how long work will take, and gives an item that holds up the end to a second actor when
// that one is likely to be done first. (Dean and Ghemawat call this backup tasks: "MapReduce", 2004, section 3.6.)
#include "coordinator/core/core.hpp"

#include <algorithm>

namespace sdfleet::coordinator {

namespace {

/// A second copy must promise a clear gain, or noise would double the load at every end.
constexpr double gain = 1.2;
constexpr double least_gain_ms = 200;
constexpr double stall_ms = 1'000;

} // namespace

void Core::learn_pace(const proto::ActorId& id, const Job& job, std::uint64_t elapsed_ms)
{
    const Work& work = job.work();
    const double ms_per_unit = static_cast<double>(std::max<std::uint64_t>(1, elapsed_ms)) / work.units;
    pace_.learn(work.kind, ms_per_unit);
    if (Actor* actor = fleet_.find(id)) {
        actor->pace.learn(work.kind, ms_per_unit);
    }
}

/// Of one item at this actor: by its own pace, else by the fleet's. Nothing while nobody has done such work.
std::optional<double> Core::estimate_ms(const Actor& actor, const Job& job) const
{
    auto pace = actor.pace.find(job.work().kind);
    pace = pace ? pace : pace_.find(job.work().kind);
    return pace ? std::optional(*pace * job.work().units) : std::nullopt;
}

/// What an item of the job costs it in its turn.
std::uint64_t Core::cost_ms(const Job& job) const
{
    const Work& work = job.work();
    return static_cast<std::uint64_t>(std::max(1.0, work.units * pace_.find(work.kind).value_or(work.guess_ms)));
}

/// Until the running attempt should be done. One that is long overdue is expected to take as long again as it took.
std::optional<double> Core::remaining_ms(const Attempt& attempt) const
{
    const Actor* actor = fleet_.find(attempt.actor);
    const Job* job = jobs_.find(attempt.item.job_id);
    if (attempt.stage != AttemptStage::running || actor == nullptr || job == nullptr) {
        return std::nullopt;
    }
    const auto elapsed = static_cast<double>((now_ - attempt.started_at).count);
    const Item& item = job->item(attempt.item.index.value);
    auto total = estimate_ms(*actor, *job);
    if (item.step > 0 && item.steps >= item.step) {
        const auto at_step = static_cast<double>((attempt.moved_at - attempt.started_at).count);
        total = at_step / item.step * item.steps;
    }
    if (!total) {
        return std::nullopt;
    }
    return elapsed > 2 * *total + stall_ms ? elapsed : std::max(0.0, *total - elapsed);
}

/// Whether an idle actor would be done with a staged item before the actor that has it now. When in doubt: yes.
bool Core::would_end_sooner(const Attempt& staged, const Actor& idle) const
{
    const Actor& busy = *fleet_.find(staged.actor);
    const Job& job = *jobs_.find(staged.item.job_id);
    const auto there = estimate_ms(idle, job);
    const auto here = estimate_ms(busy, job);
    const auto before = ms_before_staged(staged);
    return !there || !here || !before || *there < *before + *here;
}

void Core::arm_speculation()
{
    if (!is_speculation_armed_ && !open_.empty() && !open_.front().empty() && !attempts_.empty()) {
        is_speculation_armed_ = true;
        timers_.set(SpeculationTimer{}, now_ + options_.speculation_interval);
    }
}

void Core::on(const SpeculationTimer&)
{
    is_speculation_armed_ = false;
    if (failing_settlements_.empty() && !open_.front().empty()) {
        take_back(std::set(open_.front()), {}); // what was not worth it before may be by now
        speculate();
        arm_speculation();
    }
}

void Core::speculate()
{
    std::vector<std::pair<double, proto::AttemptId>> slow;
    for (const auto& [id, attempt] : attempts_) {
        if (const auto remaining = remaining_ms(attempt); remaining && may_be_copied(attempt)) {
            slow.emplace_back(*remaining, id);
        }
    }
    std::ranges::sort(slow, std::greater{});
    for (const auto& [remaining, id] : slow) {
        for (const auto& idle : std::set(open_.front())) {
            if (copy_to(idle, attempts_.at(id), remaining)) {
                break;
            }
        }
    }
}

bool Core::may_be_copied(const Attempt& attempt) const
{
    const Job& job = *jobs_.find(attempt.item.job_id);
    const Item& item = job.item(attempt.item.index.value);
    return job.is_open() && job.spec().group == 0 && item.attempt == attempt.id && item.copy.value == 0 &&
           item.settlement == 0 && item.tries + 1 < options_.tries_per_item && !job.is_pinned(attempt.item.index.value);
}

bool Core::copy_to(const proto::ActorId& idle, const Attempt& slow, double remaining)
{
    Node* node = fleet_.find(idle.node_id);
    Actor* actor = fleet_.find(idle);
    Job& job = *jobs_.find(slow.item.job_id);
    if (actor == nullptr || !actor->in_flight.empty() || !has_room(*node, *actor) || !node->serves(job.spec().model) ||
        choose_job(*node, *actor) != nullptr) { // what waits goes first
        return false;
    }
    const auto there = estimate_ms(*actor, job);
    if (!there || *there * gain + least_gain_ms >= remaining) {
        return false;
    }
    const auto index = slow.item.index.value;
    log(LogLevel::info, "item " + proto::to_string(slow.item) + " is slow at " + proto::to_string(slow.actor) +
                            "; a second try starts at " + proto::to_string(idle));
    const Attempt& copy = begin_attempt(*node, *actor, job, index, {});
    job.edit(index).copy = copy.id;
    send_assign(*node, copy, job);
    ++counters_.speculated;
    return true;
}

/// Gives an attempt up without a word about its item: another one has it, or it is over.
void Core::withdraw(Attempt& attempt)
{
    if (const Node* node = fleet_.find(attempt.actor.node_id)) {
        send(node->control, proto::CancelAttempt{attempt.id});
    }
    abort_group_of(attempt, "an item of it is not wanted any more");
    attempt.stage = AttemptStage::cancelling;
    attempt.moved_at = now_;
    set_timer(attempt);
}

/// The item's other live attempt, if there is one, becomes its only one.
Attempt* Core::keep_other(Item& item, proto::AttemptId ended)
{
    const auto other = item.attempt == ended ? item.copy : item.attempt;
    item.attempt = other;
    item.copy = {};
    const auto found = attempts_.find(other);
    return found == attempts_.end() ? nullptr : &found->second;
}

} // namespace sdfleet::coordinator
