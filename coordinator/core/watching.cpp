// SPDX-License-Identifier: Apache-2.0
// The core's part that answers long polls: at once when an item ended, with a pause between answers that only tell
// progress, and at the latest when the client's patience ends.
#include "coordinator/core/core.hpp"

#include <algorithm>

namespace sdfleet::coordinator {

void Core::on(const proto::WatchJob& message, const From& from)
{
    const Requester requester{from.packet.peer, from.packet.correlation};
    const Job* job = jobs_.find(message.job_id);
    if (job == nullptr || !job->is_committed) {
        fail(requester, proto::RequestError::unknown_job, "there is no job " + message.job_id.value);
        return;
    }
    const Watcher watcher{requester, message.job_id, std::min(message.after_change, job->last_change()),
                          std::clamp(message.max_items, 1U, limits_.items_per_answer)};
    if (message.wait_ms == 0 || job->is_over() || job->last_urgent_change() > watcher.after_change) {
        send_changes(watcher, *job);
        return;
    }
    if (from.record.watchers.size() >= limits_.watchers_per_client || watchers_.size() >= limits_.watchers) {
        fail_overloaded(requester, "too many watchers wait for changes");
        return;
    }
    const auto id = ++last_watcher_;
    watchers_.emplace(id, watcher);
    watchers_of_[job->id()].insert(id);
    from.record.watchers.insert(id);
    const Milliseconds patience{std::min(message.wait_ms, limits_.watch_wait_ms)};
    const bool has_news = job->last_change() > watcher.after_change;
    timers_.set(WatchTimer{id}, has_news ? next_quiet_answer(watcher) : now_ + patience);
}

/// When progress may be told to this client again.
Milliseconds Core::next_quiet_answer(const Watcher& watcher) const
{
    const auto& last_answers = peers_.at(watcher.requester.peer).last_answers;
    const auto last = last_answers.find(watcher.job_id);
    return last == last_answers.end() ? now_ : std::max(now_, last->second + options_.watch_pause);
}

void Core::wake_watchers(const Job& job)
{
    const auto found = watchers_of_.find(job.id());
    if (found == watchers_of_.end()) {
        return;
    }
    for (const auto id : std::set(found->second)) {
        const Watcher& watcher = watchers_.at(id);
        if (job.is_over() || job.last_urgent_change() > watcher.after_change) {
            answer(id);
        } else if (job.last_change() > watcher.after_change) {
            timers_.set(WatchTimer{id}, next_quiet_answer(watcher));
        }
    }
}

void Core::answer(std::uint64_t watcher_id)
{
    const auto found = watchers_.find(watcher_id);
    if (found == watchers_.end()) {
        return;
    }
    const Watcher watcher = found->second;
    remove_watcher(watcher_id);
    if (const Job* job = jobs_.find(watcher.job_id)) {
        send_changes(watcher, *job);
    }
}

void Core::send_changes(const Watcher& watcher, const Job& job)
{
    proto::JobChanges changes;
    changes.job = summarize(job);
    changes.last_change = job.last_change();
    std::uint64_t last_told = watcher.after_change;
    job.for_each_change(watcher.after_change, [&](std::uint64_t change, std::uint32_t index) {
        if (changes.items.size() == watcher.max_items) {
            changes.more = true;
            changes.last_change = last_told;
            return false;
        }
        changes.items.push_back(job.report(index));
        last_told = change;
        return true;
    });
    for (const auto& [node_id, node] : fleet_.nodes()) {
        for (const auto& [slot, actor] : node.actors) {
            if (!actor.in_flight.empty() && attempts_.at(actor.in_flight.front()).item.job_id == job.id()) {
                changes.actors.push_back(report(node, actor));
            }
        }
    }
    if (const auto peer = peers_.find(watcher.requester.peer); peer != peers_.end()) {
        auto& last_answers = peer->second.last_answers;
        std::erase_if(last_answers, [this](const auto& entry) { return entry.second + options_.watch_pause <= now_; });
        last_answers[job.id()] = now_;
    }
    send(watcher.requester.peer, std::move(changes), watcher.requester.correlation);
}

void Core::remove_watcher(std::uint64_t watcher_id)
{
    const auto found = watchers_.find(watcher_id);
    if (found == watchers_.end()) {
        return;
    }
    const auto job = watchers_of_.find(found->second.job_id);
    job->second.erase(watcher_id);
    if (job->second.empty()) {
        watchers_of_.erase(job);
    }
    if (const auto peer = peers_.find(found->second.requester.peer); peer != peers_.end()) {
        peer->second.watchers.erase(watcher_id);
    }
    timers_.cancel(WatchTimer{watcher_id});
    watchers_.erase(found);
}

} // namespace sdfleet::coordinator
