// SPDX-License-Identifier: Apache-2.0
#include "coordinator/core/job_table.hpp"

namespace sdfleet::coordinator {

Job& JobTable::add(InsertJob record)
{
    const auto number = next_number_++;
    const auto id = record.job_id;
    auto& job = jobs_.try_emplace(id, std::move(record), number).first->second;
    by_number_.emplace(number, &job);
    item_count_ += job.size();
    return job;
}

void JobTable::remove(const proto::JobId& id)
{
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) {
        return;
    }
    Job& job = found->second;
    for (const auto index : job.queued_items()) {
        dequeue(job, index);
    }
    ready_.remove(job);
    item_count_ -= job.size();
    finished_items_ -= finished_.erase(job.number()) > 0 ? job.size() : 0;
    by_number_.erase(job.number());
    jobs_.erase(found);
}

Job* JobTable::find(const proto::JobId& id)
{
    const auto found = jobs_.find(id);
    return found == jobs_.end() ? nullptr : &found->second;
}

const Job* JobTable::find(const proto::JobId& id) const
{
    const auto found = jobs_.find(id);
    return found == jobs_.end() ? nullptr : &found->second;
}

std::pair<Job*, Item*> JobTable::find(const proto::ItemId& id)
{
    Job* job = find(id.job_id);
    if (job == nullptr || id.index.value >= job->size()) {
        return {nullptr, nullptr};
    }
    return {job, &job->edit(id.index.value)};
}

void JobTable::enqueue(Job& job, std::uint32_t index)
{
    job.enqueue(index);
    if (const auto rank = job.pin_of(index)) {
        ready_.refresh_pin(job, *rank);
    }
    refresh_queues(job);
}

void JobTable::dequeue(Job& job, std::uint32_t index)
{
    job.dequeue(index);
    if (const auto rank = job.pin_of(index)) {
        ready_.refresh_pin(job, *rank);
    }
    refresh_queues(job);
}

void JobTable::release_rank(Job& job, std::uint32_t rank)
{
    job.release_rank(rank);
    ready_.refresh_pin(job, rank);
    refresh_queues(job);
}

void JobTable::refresh(Job& job)
{
    for (const auto& [rank, actor] : job.awaited_actors()) {
        ready_.refresh_pin(job, rank);
    }
    refresh_queues(job);
    if (job.is_over() && !job.is_cancel_requested) { // a job that is needed for an answer must not leave
        finished_items_ += finished_.insert(job.number()).second ? job.size() : 0;
    }
}

void JobTable::refresh_queues(Job& job)
{
    ready_.refresh(job);
    if (job.has_queued() == job.is_waiting) {
        return;
    }
    job.is_waiting = job.has_queued();
    if (job.spec().group > 0 && job.is_waiting) {
        waiting_groups_.insert(job.number());
    } else {
        waiting_groups_.erase(job.number());
    }
    auto& waiting = waiting_[job.spec().model];
    if (job.is_waiting) {
        waiting.insert(job.number());
        return;
    }
    waiting.erase(job.number());
    if (waiting.empty()) {
        waiting_.erase(job.spec().model);
    }
}

void JobTable::add_artifact(const std::string& sha256, std::uint64_t bytes)
{
    auto& artifact = artifacts_[sha256];
    if (artifact.references++ == 0) {
        artifact.bytes = bytes;
        artifact_bytes_ += bytes;
    }
}

bool JobTable::drop_artifact(const std::string& sha256)
{
    const auto found = artifacts_.find(sha256);
    if (found == artifacts_.end() || --found->second.references > 0) {
        return false;
    }
    artifact_bytes_ -= found->second.bytes;
    artifacts_.erase(found);
    return true;
}

Job* JobTable::oldest_finished()
{
    return finished_.empty() ? nullptr : by_number_.at(*finished_.begin());
}

} // namespace sdfleet::coordinator
