// SPDX-License-Identifier: Apache-2.0
// The core's part that takes the oldest finished jobs off the books, a bounded number of items at a time: first from the
// tables, so that no client sees them, then from the disk, and last what only they referred to.
#include "coordinator/core/core.hpp"

#include <algorithm>
#include <utility>

namespace sdfleet::coordinator {

namespace {

/// Attempts are numbered as they begin, over restarts too.
proto::AttemptId last_attempt_of(const Job& job)
{
    proto::AttemptId last;
    for (std::uint32_t index = 0; index < job.size(); ++index) {
        last = std::max(last, job.item(index).attempt);
    }
    return last;
}

} // namespace

/// Finished jobs give way to a new one; unfinished ones never do.
bool Core::make_room_for_job(std::size_t items)
{
    while (jobs_.all().size() >= limits_.jobs || jobs_.item_count() + items > limits_.items) {
        Job* oldest = leaving_items_ < limits_.leaving_items ? next_to_leave() : nullptr;
        if (oldest == nullptr) {
            return false;
        }
        retire(*oldest);
    }
    return true;
}

/// When each job ended is not on disk; the last attempt that counted tells it nearly as well.
void Core::order_finished_jobs()
{
    std::vector<std::pair<proto::AttemptId, Job*>> finished;
    for (auto& [id, job] : jobs_.all()) {
        if (job.is_over()) {
            finished.emplace_back(last_attempt_of(job), &job);
        }
    }
    std::ranges::sort(finished, {},
                      [](const auto& entry) { return std::pair(entry.first, entry.second->number()); });
    for (const auto& [attempt, job] : finished) {
        jobs_.refresh(*job);
    }
}

/// Called after every event. What is left goes on when the disk has answered.
void Core::forget_old_jobs()
{
    const auto is_over_bounds = [this] {
        return jobs_.finished_count() > options_.keep_jobs ||
               (jobs_.finished_count() > 1 && jobs_.finished_bytes() > options_.keep_bytes);
    };
    if (!is_restored_) {
        return; // a job not read yet may share a picture with one that leaves
    }
    while (failed_forgets_.empty() && forgets_under_way_ < limits_.forgets) {
        if (leaving_.empty()) {
            Job* oldest = is_over_bounds() ? next_to_leave() : nullptr;
            if (oldest == nullptr) {
                return;
            }
            retire(*oldest);
        }
        forget_some_items();
    }
}

Job* Core::next_to_leave()
{
    Job* oldest = jobs_.oldest_finished();
    // The answer to a cancellation still needs the job.
    return oldest != nullptr && oldest->is_cancel_requested && !oldest->is_cancelled ? nullptr : oldest;
}

void Core::retire(Job& job)
{
    log(LogLevel::debug, "job " + job.id().value + " leaves the books");
    leaving_ids_.insert(job.id());
    leaving_items_ += job.size() + 1;
    leaving_.push_back({*jobs_.remove(proto::JobId(job.id())), 0});
}

void Core::forget_some_items()
{
    LeavingJob& leaving = leaving_.front();
    const Job& job = leaving.job;
    const auto room = static_cast<std::uint32_t>(limits_.forgets - forgets_under_way_);
    ForgetJob forget{job.id(), leaving.next_item, leaving.next_item, {}, false};
    while (forget.end_item < job.size() && forget.end_item - forget.first_item < room) {
        const Item& item = job.item(forget.end_item++);
        if (item.state == proto::ItemState::done && jobs_.drop_artifact(item.past().sha256)) {
            forget.artifacts.push_back(item.past().sha256);
        }
    }
    leaving.next_item = forget.end_item;
    forget.is_last = forget.end_item == job.size();
    const std::size_t weight = forget.end_item - forget.first_item + (forget.is_last ? 1 : 0);
    leaving_items_ -= weight;
    forget_on_disk(forget, weight);
    if (forget.is_last) {
        leaving_.pop_front();
    }
}

void Core::forget_on_disk(StoreOperation operation, std::size_t weight)
{
    forgets_under_way_ += weight;
    const Ticket ticket = next_ticket();
    effects_.push_back(Persist{ticket, operation});
    pending_.emplace(ticket, ForgetUnderWay{std::move(operation), weight});
}

void Core::finish_forget(const ForgetUnderWay& forget)
{
    forgets_under_way_ -= forget.weight;
    const auto* job = std::get_if<ForgetJob>(&forget.operation);
    if (job != nullptr && job->is_last) {
        leaving_ids_.erase(job->job_id);
    }
    for (const auto& sha256 : job != nullptr ? job->artifacts : std::get<ForgetArtifacts>(forget.operation).artifacts) {
        if (!jobs_.knows_artifact(sha256)) { // else another job came to the same picture meanwhile
            effects_.push_back(RemoveArtifact{sha256});
        }
    }
}

void Core::forget_later(ForgetUnderWay forget, const std::string& reason)
{
    if (failed_forgets_.empty()) {
        log(LogLevel::warning, "cannot delete old jobs: " + reason + "; trying again until it works");
    }
    forgets_under_way_ -= forget.weight;
    failed_forgets_.push_back(std::move(forget));
    timers_.set(ForgetTimer{}, now_ + options_.storage_retry);
}

void Core::on(const ForgetTimer&)
{
    for (auto& forget : std::exchange(failed_forgets_, {})) {
        auto* job = std::get_if<ForgetJob>(&forget.operation);
        auto& artifacts = job != nullptr ? job->artifacts : std::get<ForgetArtifacts>(forget.operation).artifacts;
        std::erase_if(artifacts, [this](const auto& sha256) { return jobs_.knows_artifact(sha256); });
        forget_on_disk(std::move(forget.operation), forget.weight);
    }
}

} // namespace sdfleet::coordinator
