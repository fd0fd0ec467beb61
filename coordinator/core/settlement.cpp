// SPDX-License-Identifier: Apache-2.0
// The core's part that brings outcomes to the disk, and tells of them only then.
#include "coordinator/core/core.hpp"

#include <utility>

namespace sdfleet::coordinator {

void Core::settle(Settlement settlement)
{
    const auto id = ++last_settlement_;
    Job& job = *jobs_.find(settlement.job_id);
    for (const auto& outcome : settlement.outcomes) {
        Item& item = job.edit(outcome.index.value);
        item.settlement = id;
        item.attempt = outcome.attempt;
        if (outcome.state == proto::ItemState::done) {
            jobs_.add_artifact(outcome.sha256, outcome.bytes);
        }
    }
    settlements_.emplace(id, std::move(settlement));
    write(id);
}

void Core::write(std::uint64_t settlement_id)
{
    const auto found = settlements_.find(settlement_id);
    if (found == settlements_.end()) {
        return;
    }
    const Settlement& settlement = found->second;
    const Ticket ticket = next_ticket();
    if (settlement.content && settlement.content->bytes.size() > options_.small_artifact_bytes) {
        pending_.emplace(ticket, SaveUnderWay{settlement_id});
        effects_.push_back(SaveArtifact{ticket, settlement.outcomes.front().sha256, *settlement.content});
    } else {
        pending_.emplace(ticket, CommitUnderWay{settlement_id});
        effects_.push_back(Persist{ticket, SettleItems{settlement.job_id, settlement.outcomes, settlement.content}});
    }
}

std::optional<Pending> Core::take_pending(Ticket ticket)
{
    auto node = pending_.extract(ticket);
    return node.empty() ? std::nullopt : std::optional(std::move(node.mapped()));
}

void Core::on(const ArtifactSaved& event)
{
    const auto pending = take_pending(event.ticket);
    const auto* save = pending ? std::get_if<SaveUnderWay>(&*pending) : nullptr;
    if (save != nullptr) {
        settlements_.at(save->settlement).content.reset();
        write(save->settlement);
    }
}

void Core::on(const ArtifactNotSaved& event)
{
    const auto pending = take_pending(event.ticket);
    const auto* save = pending ? std::get_if<SaveUnderWay>(&*pending) : nullptr;
    const auto* commit = pending ? std::get_if<CommitUnderWay>(&*pending) : nullptr;
    if (save == nullptr && commit == nullptr) {
        return;
    }
    const auto settlement = save != nullptr ? save->settlement : commit->settlement;
    if (event.is_corrupt) {
        reject_corrupt(settlement, event.reason);
    } else {
        retry_later(settlement, event.reason);
    }
}

void Core::on(const StoreCommitted& event)
{
    const auto pending = take_pending(event.ticket);
    if (!pending) {
        return;
    }
    if (const auto* commit = std::get_if<CommitUnderWay>(&*pending)) {
        finish_settlement(commit->settlement);
    } else if (const auto* submit = std::get_if<SubmitUnderWay>(&*pending)) {
        finish_submit(*submit);
    } else if (const auto* cancel = std::get_if<CancelUnderWay>(&*pending)) {
        finish_cancel(*cancel);
    } else if (const auto* policy = std::get_if<PolicyUnderWay>(&*pending)) {
        finish_policy(*policy);
    } else if (std::holds_alternative<ForgetUnderWay>(*pending)) {
        finish_forgetting();
    }
}

void Core::on(const StoreFailed& event)
{
    const auto pending = take_pending(event.ticket);
    if (!pending) {
        return;
    }
    if (const auto* commit = std::get_if<CommitUnderWay>(&*pending)) {
        retry_later(commit->settlement, event.reason);
    } else if (std::holds_alternative<ForgetUnderWay>(*pending)) {
        retry_forgetting(event.reason);
    } else if (const auto* submit = std::get_if<SubmitUnderWay>(&*pending)) {
        fail_submit(*submit, event.reason);
    } else if (const auto* policy = std::get_if<PolicyUnderWay>(&*pending)) {
        release(policy->requester);
        fail(policy->requester, proto::RequestError::storage, "the coordinator cannot write: " + event.reason);
    } else if (const auto* cancel = std::get_if<CancelUnderWay>(&*pending)) {
        Job& job = *jobs_.find(cancel->job_id);
        job.is_cancel_requested = false;
        jobs_.refresh(job);
        queue_grew(job);
        is_fleet_changed_ = true; // its own actors may be gone by now
        for (const auto& requester : cancel->requesters) {
            release(requester);
            fail(requester, proto::RequestError::storage, "the coordinator cannot write: " + event.reason);
        }
    }
}

/// Keeps the outcome, and the artifact's bytes, until the disk takes them. Meanwhile nothing is assigned, so no more of
/// them pile up than were in flight.
void Core::retry_later(std::uint64_t settlement_id, const std::string& reason)
{
    if (failing_settlements_.empty()) {
        effects_.push_back(Alarm{"cannot write results: " + reason +
                                 "; they are kept in memory and no work is given out until writing works again"});
    }
    failing_settlements_.insert(settlement_id);
    storage_fault_ = reason;
    timers_.set(SettlementTimer{settlement_id}, now_ + options_.storage_retry);
}

void Core::reject_corrupt(std::uint64_t settlement_id, const std::string& reason)
{
    const Settlement settlement = std::move(settlements_.extract(settlement_id).mapped());
    failing_settlements_.erase(settlement_id);
    const ItemOutcome& outcome = settlement.outcomes.front();
    ++counters_.corrupt_results;
    if (jobs_.drop_artifact(outcome.sha256)) { // its last true owner may have left meanwhile
        to_forget_.artifacts.push_back(outcome.sha256);
    }
    Item& item = jobs_.find(settlement.job_id)->edit(outcome.index.value);
    item.settlement = 0;
    item.note_judged(outcome.attempt);
    if (settlement.reply_to) {
        send(settlement.reply_to->peer, proto::ResultAck{outcome.attempt, proto::Verdict::corrupt},
             settlement.reply_to->correlation);
    }
    return_item({settlement.job_id, outcome.index}, outcome.actor, Failure{proto::FailureReason::internal, reason},
                outcome.attempt, std::nullopt);
}

void Core::finish_settlement(std::uint64_t settlement_id)
{
    const Settlement settlement = std::move(settlements_.extract(settlement_id).mapped());
    if (failing_settlements_.erase(settlement_id) > 0 && failing_settlements_.empty()) {
        log(LogLevel::info, "results are written again");
        is_fleet_changed_ = true; // nothing was given out meanwhile, whoever had room
    }
    Job& job = *jobs_.find(settlement.job_id);
    for (const auto& outcome : settlement.outcomes) {
        apply(job, outcome);
        Actor* actor = fleet_.find(outcome.actor);
        if (outcome.state == proto::ItemState::done && actor != nullptr) {
            ++actor->items_done;
        }
        ++(outcome.state == proto::ItemState::done ? counters_.items_done : counters_.items_failed);
        if (outcome.state == proto::ItemState::failed) {
            log(LogLevel::warning,
                "item " + proto::to_string(proto::ItemId{job.id(), outcome.index}) + " failed: " + outcome.error,
                about(proto::ItemId{job.id(), outcome.index}));
        }
    }
    if (settlement.reply_to) {
        send(settlement.reply_to->peer, proto::ResultAck{settlement.outcomes.front().attempt, proto::Verdict::accepted},
             settlement.reply_to->correlation);
    }
    changed(job);
    if (job.is_over()) {
        log(LogLevel::info,
            "job " + job.id().value + " is over: " + std::to_string(job.count(proto::ItemState::done)) + " done, " +
                std::to_string(job.count(proto::ItemState::failed)) + " failed, " +
                std::to_string(job.count(proto::ItemState::cancelled)) + " cancelled",
            about(job.id()));
    }
}

void Core::apply(Job& job, const ItemOutcome& outcome)
{
    Item& item = job.edit(outcome.index.value);
    item.settlement = 0;
    item.attempt = outcome.attempt;
    item.tries = outcome.tries;
    item.edit_past() = {outcome.actor, {}, outcome.sha256, outcome.bytes, outcome.elapsed_ms, outcome.error};
    item.step = outcome.state == proto::ItemState::done ? item.steps : item.step;
    job.set_state(outcome.index.value, outcome.state);
}

void Core::restore(const RestoredJob& restored)
{
    Job& job = jobs_.add(restored.job);
    job.is_committed = true;
    job.is_cancelled = restored.is_cancelled;
    for (const auto& outcome : restored.outcomes) {
        apply(job, outcome);
        if (outcome.state == proto::ItemState::done) {
            jobs_.add_artifact(outcome.sha256, outcome.bytes);
        }
    }
    for (std::uint32_t index = 0; index < job.size(); ++index) {
        if (job.item(index).is_over()) {
            continue;
        }
        if (job.is_cancelled) {
            job.set_state(index, proto::ItemState::cancelled);
        } else {
            jobs_.enqueue(job, index);
        }
    }
    jobs_.refresh(job);
}

} // namespace sdfleet::coordinator
