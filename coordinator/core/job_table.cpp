// SPDX-License-Identifier: Apache-2.0
#include "coordinator/core/job_table.hpp"

namespace sdfleet::coordinator {

Job& JobTable::add(InsertJob record)
{
    const auto number = next_number_++;
    const auto id = record.job_id;
    by_number_.emplace(number, id);
    auto& job = jobs_.try_emplace(id, std::move(record), number).first->second;
    item_count_ += job.size();
    return job;
}

void JobTable::remove(const proto::JobId& id)
{
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) {
        return;
    }
    item_count_ -= found->second.size();
    ready_.erase(found->second.number());
    by_number_.erase(found->second.number());
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
    refresh(job);
}

void JobTable::dequeue(Job& job, std::uint32_t index)
{
    job.dequeue(index);
    refresh(job);
}

void JobTable::refresh(const Job& job)
{
    if (job.is_committed && !job.is_cancel_requested && !job.is_cancelled && job.has_queued()) {
        ready_.insert(job.number());
    } else {
        ready_.erase(job.number());
    }
}

bool JobTable::drop_artifact(const std::string& sha256)
{
    const auto found = artifacts_.find(sha256);
    if (found == artifacts_.end() || --found->second > 0) {
        return false;
    }
    artifacts_.erase(found);
    return true;
}

Job* JobTable::oldest_finished()
{
    for (const auto& [number, id] : by_number_) {
        if (Job* job = find(id); job->is_over()) {
            return job;
        }
    }
    return nullptr;
}

} // namespace sdfleet::coordinator
