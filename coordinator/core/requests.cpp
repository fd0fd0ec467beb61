// SPDX-License-Identifier: Apache-2.0
// The core's part that changes something at a client's request.
#include "coordinator/core/core.hpp"

#include <algorithm>
#include <utility>

namespace sdfleet::coordinator {

namespace {

std::string enumerate(const std::vector<std::string>& names)
{
    constexpr std::size_t shown = 10;
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), shown); ++i) {
        text += (i == 0 ? "" : ", ") + names[i];
    }
    return names.size() > shown ? text + ", ..." : text;
}

} // namespace

void Core::fail(const Requester& requester, proto::RequestError error, std::string message)
{
    send(requester.peer, proto::RequestFailed{error, std::move(message), 0}, requester.correlation);
}

void Core::fail_overloaded(const Requester& requester, const std::string& what)
{
    send(requester.peer, proto::RequestFailed{proto::RequestError::overloaded, what, limits_.retry_after_ms},
         requester.correlation);
}

/// Takes one of the places for requests that wait for the disk; answers the request when all are taken.
bool Core::may_wait_for_disk(const From& from)
{
    if (from.record.pending_requests >= limits_.pending_requests_per_client) {
        fail_overloaded({from.packet.peer, from.packet.correlation}, "too many requests of this client are under way");
        return false;
    }
    if (pending_.size() >= limits_.pending_requests) {
        fail_overloaded({from.packet.peer, from.packet.correlation}, "too many requests are under way");
        return false;
    }
    ++from.record.pending_requests;
    return true;
}

void Core::release(const Requester& requester)
{
    if (const auto found = peers_.find(requester.peer); found != peers_.end() && found->second.pending_requests > 0) {
        --found->second.pending_requests;
    }
}

void Core::on(const proto::Submit& message, const From& from)
{
    const Requester requester{from.packet.peer, from.packet.correlation};
    if (Job* known = jobs_.find(message.job_id)) {
        repeat_submit(message, *known, from);
        return;
    }
    if (!proto::is_valid_name(message.job_id.value)) {
        fail(requester, proto::RequestError::invalid,
             "'" + message.job_id.value + "' is not a job id (1 to 64 letters, digits, . _ -)");
        return;
    }
    if (leaving_.contains(message.job_id)) {
        fail_overloaded(requester, "an old job " + message.job_id.value + " is being removed");
        return;
    }
    if (const auto fault = proto::find_fault(message.spec)) {
        fail(requester, proto::RequestError::invalid, *fault);
        return;
    }
    std::vector<proto::ActorId> ranks;
    if (message.spec.split != proto::Split::pull && message.spec.group == 0) {
        ranks = fleet_.ranks_for(message.spec.model);
    }
    if (const auto reason = find_unservable(message.spec, ranks)) {
        fail(requester, proto::RequestError::unservable, *reason);
        return;
    }
    if (!make_room_for_job(message.spec.items.size())) {
        fail_overloaded(requester, "the coordinator has as many unfinished jobs as it can keep");
        return;
    }
    if (!may_wait_for_disk(from)) {
        return;
    }
    const Job& job = jobs_.add(
        {message.job_id, std::make_shared<const proto::JobSpec>(message.spec), from.packet.unix_ms, std::move(ranks)});
    const Ticket ticket = next_ticket();
    pending_.emplace(ticket, SubmitUnderWay{message.job_id, {requester}});
    effects_.push_back(Persist{ticket, job.record()});
}

/// The same id came again: after a lost answer, or by another client's mistake.
void Core::repeat_submit(const proto::Submit& message, Job& job, const From& from)
{
    Requester requester{from.packet.peer, from.packet.correlation, true};
    if (job.spec() != message.spec) {
        fail(requester, proto::RequestError::conflict,
             "job " + message.job_id.value + " exists with other content; choose another job id");
        return;
    }
    if (job.is_committed) {
        send(requester.peer, proto::Submitted{summarize(job), true}, requester.correlation);
        return;
    }
    const auto pending = std::ranges::find_if(pending_, [&](const auto& entry) {
        const auto* submit = std::get_if<SubmitUnderWay>(&entry.second);
        return submit != nullptr && submit->job_id == job.id();
    });
    if (pending != pending_.end() && may_wait_for_disk(from)) {
        std::get<SubmitUnderWay>(pending->second).requesters.push_back(std::move(requester));
    }
}

/// Why no node of the fleet could do the job as it is now; nothing when one can.
std::optional<std::string> Core::find_unservable(const proto::JobSpec& spec,
                                                 const std::vector<proto::ActorId>& ranks) const
{
    if (!fleet_.has_live_node()) {
        return "no node has joined";
    }
    const std::string what = spec.model.empty() ? "echo" : "model '" + spec.model + "'";
    if (!fleet_.has_live_node_with(spec.model)) {
        const auto names = fleet_.model_names();
        return "no node serves " + what + "; the fleet serves: " + (names.empty() ? "no model" : enumerate(names));
    }
    const auto census = fleet_.count_actors(spec.model);
    const std::size_t usable = census.not_failed() + (spec.split == proto::Split::pull ? census.draining : 0);
    if ((spec.model.empty() || spec.split != proto::Split::pull) && usable == 0) {
        return "no actor serves " + what + ": all have failed or drain, or their nodes have none";
    }
    if (spec.group > 0) {
        return find_unservable_group(spec);
    }
    if (spec.split == proto::Split::rank) {
        for (std::size_t i = 0; i < spec.items.size(); ++i) {
            const auto rank = spec.items[i].rank.value_or(0);
            if (rank >= ranks.size()) {
                return "prompt " + std::to_string(i) + " is for rank " + std::to_string(rank) + ", but only " +
                       std::to_string(ranks.size()) + " actors serve " + what + " (ranks count from 0)";
            }
        }
    }
    return std::nullopt;
}

bool Core::make_room_for_job(std::size_t items)
{
    while (jobs_.all().size() >= limits_.jobs || jobs_.item_count() + items > limits_.items) {
        Job* oldest = jobs_.oldest_finished();
        if (oldest == nullptr || leaving_.size() >= limits_.pending_requests) {
            return false;
        }
        forget(*oldest, "to make room for a new one");
    }
    return true;
}

void Core::finish_submit(const SubmitUnderWay& submit)
{
    Job& job = *jobs_.find(submit.job_id);
    job.is_committed = true;
    for (std::uint32_t index = 0; index < job.size(); ++index) {
        jobs_.enqueue(job, index);
    }
    queue_grew(job);
    changed(job);
    log(LogLevel::info,
        "job " + job.id().value + ": " + std::to_string(job.size()) + " items of " +
            (job.spec().model.empty() ? "echo" : "model " + job.spec().model),
        about(job.id()));
    for (const auto& requester : submit.requesters) {
        release(requester);
        send(requester.peer, proto::Submitted{summarize(job), requester.is_repeat}, requester.correlation);
    }
    is_fleet_changed_ = is_fleet_changed_ || job.spec().split != proto::Split::pull; // its actors may be gone already
}

void Core::fail_submit(const SubmitUnderWay& submit, const std::string& reason)
{
    jobs_.remove(submit.job_id);
    for (const auto& requester : submit.requesters) {
        release(requester);
        fail(requester, proto::RequestError::storage,
             "the coordinator cannot write the job down, so it did not take it: " + reason);
    }
}

void Core::on(const proto::CancelJob& message, const From& from)
{
    const Requester requester{from.packet.peer, from.packet.correlation};
    Job* job = jobs_.find(message.job_id);
    if (job == nullptr || !job->is_committed) {
        fail(requester, proto::RequestError::unknown_job, "there is no job " + message.job_id.value);
        return;
    }
    if (job->is_cancelled || job->is_over()) {
        send(requester.peer, proto::JobCancelled{summarize(*job)}, requester.correlation);
        return;
    }
    if (!may_wait_for_disk(from)) {
        return;
    }
    for (auto& [ticket, pending] : pending_) {
        auto* cancel = std::get_if<CancelUnderWay>(&pending);
        if (cancel != nullptr && cancel->job_id == job->id()) {
            cancel->requesters.push_back(requester);
            return;
        }
    }
    job->is_cancel_requested = true;
    jobs_.refresh(*job);
    const Ticket ticket = next_ticket();
    pending_.emplace(ticket, CancelUnderWay{job->id(), {requester}});
    effects_.push_back(Persist{ticket, MarkJobCancelled{job->id()}});
}

/// Items whose outcome is on its way to the disk keep it; all others are cancelled now.
void Core::finish_cancel(const CancelUnderWay& cancel)
{
    Job& job = *jobs_.find(cancel.job_id);
    job.is_cancelled = true;
    job.is_cancel_requested = false;
    for (std::uint32_t index = 0; index < job.size(); ++index) {
        Item& item = job.edit(index);
        if (item.is_over() || item.settlement != 0) {
            continue;
        }
        if (item.state == proto::ItemState::queued) {
            jobs_.dequeue(job, index);
        }
        for (const auto id : {item.attempt, item.copy}) {
            if (const auto attempt = attempts_.find(id); attempt != attempts_.end()) {
                withdraw(attempt->second);
            }
        }
        item.attempt = item.copy = {};
        ++counters_.items_cancelled;
        job.set_state(index, proto::ItemState::cancelled);
    }
    job.touch_job();
    jobs_.refresh(job);
    job.unservable_since.reset();
    timers_.cancel(UnservableTimer{job.id()});
    changed(job);
    log(LogLevel::info, "job " + job.id().value + " was cancelled", about(job.id()));
    for (const auto& requester : cancel.requesters) {
        release(requester);
        send(requester.peer, proto::JobCancelled{summarize(job)}, requester.correlation);
    }
}

void Core::on(const proto::FetchArtifact& message, const From& from)
{
    const Requester requester{from.packet.peer, from.packet.correlation};
    if (!jobs_.knows_artifact(message.sha256)) {
        fail(requester, proto::RequestError::unknown_artifact, "there is no artifact " + message.sha256.substr(0, 64));
        return;
    }
    if (!may_wait_for_disk(from)) {
        return;
    }
    const Ticket ticket = next_ticket();
    pending_.emplace(ticket, FetchUnderWay{message.sha256, requester});
    effects_.push_back(LoadArtifact{ticket, message.sha256});
}

void Core::on(const ArtifactLoaded& event)
{
    const auto pending = take_pending(event.ticket);
    if (const auto* fetch = pending ? std::get_if<FetchUnderWay>(&*pending) : nullptr) {
        release(fetch->requester);
        effects_.push_back(
            Send{fetch->requester.peer, fetch->requester.correlation, proto::Artifact{fetch->sha256}, {event.content}});
    }
}

void Core::on(const ArtifactNotLoaded& event)
{
    const auto pending = take_pending(event.ticket);
    if (const auto* fetch = pending ? std::get_if<FetchUnderWay>(&*pending) : nullptr) {
        release(fetch->requester);
        if (!jobs_.knows_artifact(fetch->sha256)) {
            fail(fetch->requester, proto::RequestError::unknown_artifact, "its job has left the books");
            return;
        }
        fail(fetch->requester, proto::RequestError::storage,
             "the coordinator cannot read the artifact: " + event.reason);
        effects_.push_back(Alarm{"cannot read an artifact: " + event.reason});
    }
}

} // namespace sdfleet::coordinator
