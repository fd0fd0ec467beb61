// SPDX-License-Identifier: Apache-2.0
// The core's part that follows each try at an item from Assign to its end.
#include "coordinator/core/core.hpp"

#include <algorithm>
#include <utility>

namespace sdfleet::coordinator {

namespace {

constexpr unsigned epoch_shift = 32;

bool is_sha256(const std::string& text)
{
    constexpr std::size_t digits = 64;
    return text.size() == digits &&
           std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

} // namespace

const char* to_string(proto::FailureReason reason)
{
    switch (reason) {
    case proto::FailureReason::internal:
        return "internal fault";
    case proto::FailureReason::bad_request:
        return "the model cannot do what was asked";
    case proto::FailureReason::bad_model:
        return "the model does not load";
    case proto::FailureReason::out_of_memory:
        return "out of memory";
    case proto::FailureReason::not_finite:
        return "the picture is not finite";
    case proto::FailureReason::cancelled:
        return "cancelled";
    case proto::FailureReason::actor_died:
        return "the actor died";
    case proto::FailureReason::actor_hung:
        return "the actor hung";
    case proto::FailureReason::node_lost:
        return "the node was lost";
    case proto::FailureReason::no_actor:
        return "no actor could serve it";
    case proto::FailureReason::overloaded:
        return "the agent was overloaded";
    }
    return "";
}

bool is_retryable(proto::FailureReason reason)
{
    return reason != proto::FailureReason::bad_request && reason != proto::FailureReason::bad_model &&
           reason != proto::FailureReason::not_finite && reason != proto::FailureReason::no_actor;
}

Attempt* Core::find_attempt(proto::AttemptId id, const Node& node)
{
    const auto found = attempts_.find(id);
    return found != attempts_.end() && (found->second.actor.node_id == node.id || is_in_group_of(found->second, node))
               ? &found->second
               : nullptr;
}

Attempt& Core::begin_attempt(Node& node, Actor& actor, Job& job, std::uint32_t index, proto::Epoch group_epoch)
{
    const proto::AttemptId id{(identity_.epoch << epoch_shift) | ++last_attempt_};
    const proto::ActorId actor_id{node.id, actor.state.slot};
    Attempt& attempt = attempts_
                           .try_emplace(id, Attempt{id,
                                                    {job.id(), {index}},
                                                    actor_id,
                                                    AttemptStage::assigned,
                                                    now_,
                                                    now_,
                                                    now_,
                                                    0,
                                                    {},
                                                    group_epoch,
                                                    job.batch_key(),
                                                    needs_own_actor(job.item(index))})
                           .first->second;
    actor.in_flight.push_back(id);
    actor.model = job.spec().model;
    note_room(node, actor);
    set_timer(attempt);
    return attempt;
}

void Core::send_assign(const Node& node, const Attempt& attempt, const Job& job)
{
    const auto index = attempt.item.index;
    send(node.control, proto::Assign{attempt.id, job.id(), index, attempt.actor.slot, job.spec().model,
                                     job.spec().parameters, job.spec().items[index.value], attempt.is_alone});
}

void Core::assign(Node& node, Actor& actor, Job& job, std::uint32_t index)
{
    send_assign(node, take_item(node, actor, job, index, {}), job);
}

Attempt& Core::take_item(Node& node, Actor& actor, Job& job, std::uint32_t index, proto::Epoch group_epoch)
{
    jobs_.dequeue(job, index);
    Attempt& attempt = begin_attempt(node, actor, job, index, group_epoch);
    attempt.charged_ms = cost_ms(job);
    jobs_.charge(job, attempt.charged_ms);
    Item& item = job.edit(index);
    item.attempt = attempt.id;
    item.edit_past().actor = attempt.actor;
    item.step = 0;
    item.steps = 0;
    job.set_state(index, proto::ItemState::assigned);
    changed(job);
    return attempt;
}

/// Lets the agent keep an attempt that the coordinator had forgotten, because of its own restart or because it had given
/// the node up. False when it is not wanted any more.
bool Core::adopt(Node& node, const proto::AttemptReport& report)
{
    const auto [job, item] = jobs_.find({report.job_id, report.index});
    const auto actor = node.actors.find(report.slot);
    const std::uint64_t newest = (identity_.epoch << epoch_shift) | last_attempt_;
    const bool is_free = item != nullptr && item->state == proto::ItemState::queued && item->settlement == 0 &&
                         job->is_committed && !job->is_cancel_requested && !job->is_cancelled &&
                         job->spec().group == 0; // a group that this coordinator did not put together cannot be led on
    const bool is_served = actor != node.actors.end() && actor->second.state.phase != proto::ActorPhase::failed;
    if (!is_free || !is_served || report.attempt_id.value == 0 || report.attempt_id.value > newest ||
        attempts_.contains(report.attempt_id) || report.attempt_id <= item->past().judged) {
        return false;
    }
    const proto::ActorId actor_id{node.id, report.slot};
    jobs_.dequeue(*job, report.index.value);
    item->attempt = report.attempt_id;
    item->edit_past().actor = actor_id;
    job->set_state(report.index.value, proto::ItemState::assigned);
    changed(*job);
    const auto& attempt = attempts_
                              .try_emplace(report.attempt_id, Attempt{report.attempt_id,
                                                                      {report.job_id, report.index},
                                                                      actor_id,
                                                                      AttemptStage::accepted,
                                                                      now_,
                                                                      now_,
                                                                      now_,
                                                                      0,
                                                                      {},
                                                                      {},
                                                                      job->batch_key(),
                                                                      needs_own_actor(*item)})
                              .first->second;
    actor->second.in_flight.push_back(attempt.id);
    actor->second.model = job->spec().model;
    note_room(node, actor->second);
    set_timer(attempt);
    log(LogLevel::info, "item " + proto::to_string(attempt.item) + " goes on at " + proto::to_string(actor_id),
        about(attempt.item, attempt.id, actor_id));
    return true;
}

/// Every attempt but a staged one has a deadline; a staged one waits behind one that has.
std::optional<Milliseconds> Core::deadline_of(const Attempt& attempt) const
{
    if (attempt.stage == AttemptStage::assigned) {
        return attempt.assigned_at + options_.accept_timeout;
    }
    if (const auto* run = group_run_of(attempt)) {
        return run->moved_at + (run->is_aborted ? options_.group_abort_timeout : options_.progress_timeout);
    }
    const Actor* actor = fleet_.find(attempt.actor);
    const bool is_first = actor != nullptr && !actor->in_flight.empty() && actor->in_flight.front() == attempt.id;
    return attempt.stage != AttemptStage::accepted || is_first
               ? std::optional(attempt.moved_at + options_.progress_timeout)
               : std::nullopt;
}

void Core::set_timer(const Attempt& attempt)
{
    if (const auto deadline = deadline_of(attempt)) {
        timers_.set_no_later(AttemptTimer{attempt.id}, *deadline);
    }
}

void Core::mark_running(Attempt& attempt)
{
    attempt.moved_at = now_;
    note_group_progress(attempt);
    if (attempt.stage != AttemptStage::running) {
        attempt.stage = AttemptStage::running;
        attempt.started_at = now_;
        const auto [job, item] = jobs_.find(attempt.item);
        ++item->tries;
        job->set_state(attempt.item.index.value, proto::ItemState::running);
        changed(*job);
    }
    set_timer(attempt);
}

void Core::end_attempt(const Attempt& attempt)
{
    const auto id = attempt.id;
    timers_.cancel(AttemptTimer{id});
    taken_back_.erase(id);
    if (Actor* actor = fleet_.find(attempt.actor)) {
        std::erase(actor->in_flight, id);
        note_room(*fleet_.find(attempt.actor.node_id), *actor);
        freed_.insert(attempt.actor);
        if (!actor->in_flight.empty()) {
            Attempt& next = attempts_.at(actor->in_flight.front());
            if (next.stage != AttemptStage::running) { // else it was drawn together with what ended
                next.moved_at = now_;
            }
            set_timer(next);
        }
    }
    const Attempt ended = attempt;
    attempts_.erase(id);
    leave_group(ended);
}

void Core::give_up(Attempt& attempt, std::optional<Failure> failure)
{
    withdraw(attempt);
    return_item(attempt.item, attempt.actor, failure, attempt.id, std::nullopt);
}

void Core::drop(const Attempt& attempt, std::optional<Failure> failure)
{
    abort_group_of(attempt, failure ? failure->message : "an item was taken away");
    end_attempt(attempt);
    if (attempt.stage == AttemptStage::cancelling) {
        return;
    }
    // An item that only waited its turn is not to blame.
    return_item(attempt.item, attempt.actor, attempt.stage == AttemptStage::running ? failure : std::nullopt,
                attempt.id, std::nullopt);
}

/// The item's attempt is over without a result: queues it again, or ends it when trying again will not help.
void Core::return_item(const proto::ItemId& id, const proto::ActorId& actor, const std::optional<Failure>& failure,
                       proto::AttemptId attempt, const std::optional<Requester>& reply_to)
{
    const auto [job, item] = jobs_.find(id);
    Attempt* other = keep_other(*item, attempt);
    item->step = 0;
    if (job->is_cancelled) {
        job->set_state(id.index.value, proto::ItemState::cancelled);
        changed(*job);
        return;
    }
    if (failure) {
        ++item->failures;
        const bool is_death =
            failure->reason == proto::FailureReason::actor_died || failure->reason == proto::FailureReason::actor_hung;
        if (is_death) {
            ++item->deaths;
        }
        auto& story = item->edit_past().story;
        story += (story.empty() ? "" : "; ") + proto::to_string(actor) + ": " + to_string(failure->reason) +
                 (failure->message.empty() ? "" : " (" + failure->message.substr(0, 200) + ")");
        const bool is_poison = item->deaths >= options_.deaths_per_item;
        const bool is_spent = std::max<std::uint32_t>(item->tries, item->failures) >= options_.tries_per_item;
        if (!is_retryable(failure->reason) || is_poison || is_spent) {
            ItemOutcome outcome{id.index, proto::ItemState::failed, attempt, actor, item->tries, {}, {}, 0, 0, {}};
            outcome.error = !is_retryable(failure->reason)
                                ? story
                                : (is_poison ? std::to_string(item->deaths) + " actors died with it: "
                                             : std::to_string(item->failures) + " tries failed: ") +
                                      story;
            if (other != nullptr) {
                withdraw(*other);
            }
            item->attempt = attempt;
            settle({id.job_id, {std::move(outcome)}, std::nullopt, reply_to});
            return;
        }
        log(LogLevel::warning, "item " + proto::to_string(id) + " is tried again: " + to_string(failure->reason) +
                                   " at " + proto::to_string(actor));
    }
    changed(*job);
    if (other != nullptr) {
        item->edit_past().actor = other->actor;
        job->set_state(id.index.value,
                       other->stage == AttemptStage::running ? proto::ItemState::running : proto::ItemState::assigned);
    } else {
        ++counters_.retries;
        job->set_state(id.index.value, proto::ItemState::queued);
        jobs_.enqueue(*job, id.index.value);
        queue_grew(*job);
    }
    if (reply_to) {
        send(reply_to->peer, proto::ResultAck{attempt, proto::Verdict::accepted}, reply_to->correlation);
    }
}

void Core::on(const AttemptTimer& timer)
{
    const auto found = attempts_.find(timer.attempt_id);
    if (found == attempts_.end()) {
        return;
    }
    Attempt& attempt = found->second;
    const auto deadline = deadline_of(attempt);
    if (!deadline || *deadline > now_) {
        set_timer(attempt); // it has moved on since the timer was set
        return;
    }
    if (attempt.stage == AttemptStage::cancelling) {
        end_attempt(attempt);
    } else if (attempt.stage == AttemptStage::assigned) {
        pause(attempt.actor);
        give_up(attempt, Failure{proto::FailureReason::internal, "the agent did not take it"});
    } else {
        give_up(attempt, Failure{proto::FailureReason::internal,
                                 "no progress for " + std::to_string(options_.progress_timeout.count) + " ms"});
    }
}

/// An agent that no longer lists an attempt does not work on it, whatever became of the messages about it.
void Core::check_presence(Node& node, const std::vector<proto::AttemptId>& present)
{
    const std::set<proto::AttemptId> listed(present.begin(), present.end());
    std::vector<proto::AttemptId> missing;
    for (auto& [slot, actor] : node.actors) {
        for (const auto id : actor.in_flight) {
            Attempt& attempt = attempts_.at(id);
            if (listed.contains(id)) {
                attempt.missing_since.reset();
            } else if (!attempt.missing_since) {
                attempt.missing_since = now_;
            } else if (now_ - std::max(*attempt.missing_since, attempt.assigned_at) > options_.missing_timeout) {
                missing.push_back(id);
            }
        }
    }
    for (const auto id : missing) {
        const Attempt attempt = attempts_.at(id);
        log(LogLevel::warning, "node " + node.id.value + " no longer has item " + proto::to_string(attempt.item));
        pause(attempt.actor);
        drop(attempt, Failure{proto::FailureReason::internal, "the agent no longer has it"});
    }
}

void Core::pause(const proto::ActorId& id)
{
    if (Actor* actor = fleet_.find(id)) {
        actor->paused_until = now_ + options_.actor_pause;
        timers_.set(ActorTimer{id}, actor->paused_until);
        note_room(*fleet_.find(id.node_id), *actor);
    }
}

void Core::on(const proto::Accepted& message, Node& node, const From&)
{
    Attempt* attempt = find_attempt(message.attempt_id, node);
    if (attempt != nullptr && attempt->stage == AttemptStage::assigned) {
        attempt->stage = AttemptStage::accepted;
        attempt->moved_at = now_;
        set_timer(*attempt);
        newly_staged_.push_back(attempt->id);
    }
}

void Core::on(const proto::Started& message, Node& node, const From&)
{
    Attempt* attempt = find_attempt(message.attempt_id, node);
    if (attempt == nullptr) {
        return; // its result may have overtaken this on the other connection
    }
    if (attempt->stage == AttemptStage::cancelling) {
        send(node.control, proto::CancelAttempt{attempt->id});
        return;
    }
    mark_running(*attempt);
}

void Core::on(const proto::StepProgress& message, Node& node, const From&)
{
    Attempt* attempt = find_attempt(message.attempt_id, node);
    if (attempt == nullptr) {
        return;
    }
    if (attempt->stage == AttemptStage::cancelling) {
        send(node.control, proto::CancelAttempt{attempt->id});
        return;
    }
    mark_running(*attempt);
    const auto [job, item] = jobs_.find(attempt->item);
    counters_.steps += message.step > item->step ? message.step - item->step : 0;
    item->step = message.step;
    item->steps = message.steps;
    job->touch(attempt->item.index.value, false);
    changed(*job);
}

/// A result of an attempt that is not under way: sent twice, or of an attempt that was given up.
void Core::answer_stale(proto::AttemptId id, const proto::ItemId& item_id, const From& from)
{
    const auto [job, item] = jobs_.find(item_id);
    const auto is_its_end = [&](proto::ItemState state) { // a result may come after its attempt was counted as failed
        return (state == proto::ItemState::done) == std::holds_alternative<proto::ItemDone>(from.packet.message);
    };
    if (item != nullptr && item->attempt == id && item->settlement != 0 &&
        is_its_end(settlements_.at(item->settlement).outcomes.front().state)) {
        settlements_.at(item->settlement).reply_to = Requester{from.packet.peer, from.packet.correlation};
        return;
    }
    const bool is_accepted = item != nullptr && item->attempt == id && item->is_over() && is_its_end(item->state);
    counters_.stale_results += is_accepted ? 0 : 1;
    send(from.packet.peer, proto::ResultAck{id, is_accepted ? proto::Verdict::accepted : proto::Verdict::stale},
         from.packet.correlation);
}

void Core::on(const proto::ItemDone& message, Node& node, const From& from)
{
    const proto::ItemId item_id{message.job_id, message.index};
    Attempt* attempt = find_attempt(message.attempt_id, node);
    if (attempt == nullptr || attempt->item != item_id || attempt->stage == AttemptStage::cancelling) {
        if (attempt != nullptr && attempt->item == item_id) {
            end_attempt(*attempt);
        }
        answer_stale(message.attempt_id, item_id, from);
        return;
    }
    const Requester reply_to{from.packet.peer, from.packet.correlation};
    mark_running(*attempt); // when the result overtook the news that it started
    const Attempt ended = *attempt;
    end_attempt(*attempt);
    if (from.packet.blobs.size() != 1 || !is_sha256(message.sha256)) {
        ++counters_.corrupt_results;
        jobs_.find(item_id).second->note_judged(ended.id);
        send(reply_to.peer, proto::ResultAck{ended.id, proto::Verdict::corrupt}, reply_to.correlation);
        return_item(item_id, ended.actor, Failure{proto::FailureReason::internal, "the result came without its bytes"},
                    ended.id, std::nullopt);
        return;
    }
    const auto& blob = from.packet.blobs.front();
    const auto [job, item] = jobs_.find(item_id);
    dispatch_times_.count(now_ - ended.assigned_at);
    learn_pace(ended.actor, *job, message.elapsed_ms);
    if (ended.charged_ms > 0) {
        jobs_.correct_charge(*job, ended.charged_ms, std::max<std::uint64_t>(1, message.elapsed_ms));
    }
    if (Attempt* other = keep_other(*item, ended.id)) {
        withdraw(*other);
    }
    settle({message.job_id,
            {{message.index,
              proto::ItemState::done,
              ended.id,
              ended.actor,
              item->tries,
              message.media_type,
              message.sha256,
              blob.bytes.size(),
              message.elapsed_ms,
              {}}},
            blob,
            reply_to});
}

void Core::on(const proto::ItemFailed& message, Node& node, const From& from)
{
    const proto::ItemId item_id{message.job_id, message.index};
    Attempt* attempt = find_attempt(message.attempt_id, node);
    if (attempt != nullptr && attempt->actor.node_id != node.id) {
        attempt = nullptr; // of a group only whoever draws an item knows that it failed
    }
    if (attempt == nullptr || attempt->item != item_id || attempt->stage == AttemptStage::cancelling) {
        if (attempt != nullptr && attempt->item == item_id) {
            end_attempt(*attempt);
        }
        answer_stale(message.attempt_id, item_id, from);
        return;
    }
    const bool was_given_up = is_group_aborted(*attempt) && message.reason == proto::FailureReason::cancelled;
    abort_group_of(*attempt, "item " + std::to_string(message.index.value) + " failed: " + message.message);
    const Attempt ended = *attempt;
    const bool was_its_turn =
        ended.stage == AttemptStage::running || node.actors.at(ended.actor.slot).in_flight.front() == ended.id;
    const bool was_taken_back = taken_back_.contains(ended.id);
    end_attempt(*attempt);
    std::optional<Failure> failure = Failure{message.reason, message.message};
    const bool was_asked_back = was_taken_back && message.reason == proto::FailureReason::cancelled;
    const bool died_before_its_turn = !was_its_turn && message.reason == proto::FailureReason::actor_died;
    Item& item = *jobs_.find(item_id).second;
    if (was_asked_back || died_before_its_turn || was_given_up) {
        failure.reset();
        item.tries -= ended.stage == AttemptStage::running ? 1 : 0; // not the item's fault
    } else if (message.reason == proto::FailureReason::overloaded) {
        pause(ended.actor);
    }
    item.note_judged(ended.id);
    return_item(item_id, ended.actor, failure, ended.id, Requester{from.packet.peer, from.packet.correlation});
}

} // namespace sdfleet::coordinator
