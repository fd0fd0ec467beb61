// SPDX-License-Identifier: Apache-2.0
// The core's part that lets old jobs go.
#include "coordinator/core/core.hpp"

#include <utility>

namespace sdfleet::coordinator {

/// A few in each step: the disk has other work too.
void Core::forget_surplus()
{
    if (!is_restored_) {
        return; // a job not read yet may share a picture with one that would leave
    }
    for (std::size_t i = 0; i < limits_.forgets_per_step; ++i) {
        Job* oldest = jobs_.oldest_finished();
        const bool has_many_items = jobs_.finished_items() > limits_.finished_items && jobs_.finished_count() > 1;
        const bool is_surplus =
            oldest != nullptr && (jobs_.finished_count() > limits_.finished_jobs || has_many_items ||
                                  jobs_.all().size() > limits_.jobs || jobs_.artifact_bytes() > limits_.artifact_bytes);
        if (!is_surplus || leaving_.size() >= limits_.pending_requests) {
            return;
        }
        forget(*oldest, "as the oldest of those that are kept");
    }
}

void Core::forget(Job& job, const char* why)
{
    for (std::uint32_t index = 0; index < job.size(); ++index) {
        const Item& item = job.item(index);
        if (item.state == proto::ItemState::done && jobs_.drop_artifact(item.past().sha256)) {
            to_forget_.artifacts.push_back(item.past().sha256);
        }
    }
    log(LogLevel::info, "job " + job.id().value + " leaves the books " + why, about(job.id()));
    to_forget_.jobs.push_back(job.id());
    leaving_.insert(job.id());
    jobs_.remove(proto::JobId(job.id()));
}

/// One removal after the other, each until it works: an artifact goes with the last job that had it, so that job must not
/// leave the disk before those that left the books earlier; and what stayed there would come back at the next start.
void Core::remove_forgotten()
{
    if (forgetting_ || is_forgetting_paused_ || (to_forget_.jobs.empty() && to_forget_.artifacts.empty())) {
        return;
    }
    forgetting_ = std::exchange(to_forget_, {});
    std::erase_if(forgetting_->artifacts, [this](const auto& sha256) { return jobs_.knows_artifact(sha256); });
    const Ticket ticket = next_ticket();
    pending_.emplace(ticket, ForgetUnderWay{});
    effects_.push_back(Persist{ticket, *forgetting_});
}

void Core::finish_forgetting()
{
    for (const auto& sha256 : forgetting_->artifacts) {
        if (!jobs_.knows_artifact(sha256)) { // else another job came to the same picture meanwhile
            effects_.push_back(RemoveArtifact{sha256});
        }
    }
    for (const auto& id : forgetting_->jobs) {
        leaving_.erase(id);
    }
    forgetting_.reset();
}

void Core::retry_forgetting(const std::string& reason)
{
    log(LogLevel::warning, "cannot remove jobs that are no longer kept: " + reason + "; it is tried again");
    auto& [jobs, artifacts] = *forgetting_;
    jobs.insert(jobs.end(), to_forget_.jobs.begin(), to_forget_.jobs.end());
    artifacts.insert(artifacts.end(), to_forget_.artifacts.begin(), to_forget_.artifacts.end());
    to_forget_ = std::move(*forgetting_);
    forgetting_.reset();
    is_forgetting_paused_ = true;
    timers_.set(ForgetTimer{}, now_ + options_.storage_retry);
}

void Core::on(const ForgetTimer&)
{
    is_forgetting_paused_ = false; // the step's end does it
}

} // namespace sdfleet::coordinator
