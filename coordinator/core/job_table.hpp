// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/job.hpp"
#include "coordinator/core/ready_queue.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace sdfleet::coordinator {

/// All jobs, the queue over them, and which artifacts they refer to.
class JobTable {
public:
    Job& add(InsertJob record);
    void remove(const proto::JobId& id);

    Job* find(const proto::JobId& id);
    const Job* find(const proto::JobId& id) const;

    /// Nothing when there is no such item.
    std::pair<Job*, Item*> find(const proto::ItemId& id);

    const std::map<proto::JobId, Job>& all() const { return jobs_; }
    std::map<proto::JobId, Job>& all() { return jobs_; }

    /// By the number that each got when it was submitted.
    const std::map<std::uint64_t, Job*>& by_number() const { return by_number_; }
    Job& at(std::uint64_t number) { return *by_number_.at(number); }
    std::size_t item_count() const { return item_count_; }
    std::size_t unfinished_count() const { return jobs_.size() - finished_.size(); }

    /// Puts an item back into the queue, or takes one out of it. The item's state is the caller's business.
    void enqueue(Job& job, std::uint32_t index);
    void dequeue(Job& job, std::uint32_t index);

    /// Items that waited for the actor of a rank may go to any actor from now on.
    void release_rank(Job& job, std::uint32_t rank);

    /// Call when a job may be served from now on, or may no longer; and when it is over.
    void refresh(Job& job);

    /// An item of the job was given out that will take an actor about this long.
    void charge(Job& job, std::uint64_t cost_ms) { ready_.charge(job, cost_ms); }
    void correct_charge(Job& job, std::uint64_t charged_ms, std::uint64_t took_ms)
    {
        ready_.correct(job, charged_ms, took_ms);
    }

    const ReadyQueue& ready() const { return ready_; }

    /// The numbers of jobs with queued items, by model: of those too that may not be served now.
    const std::map<std::string, std::set<std::uint64_t>>& waiting() const { return waiting_; }

    /// The numbers of the group jobs among them.
    const std::set<std::uint64_t>& waiting_groups() const { return waiting_groups_; }

    std::size_t finished_count() const { return finished_.size(); }
    std::size_t finished_items() const { return finished_items_; }

    void add_artifact(const std::string& sha256, std::uint64_t bytes);
    std::uint64_t artifact_bytes() const { return artifact_bytes_; } ///< of all, each counted once
    /// True when nobody refers to it any more.
    bool drop_artifact(const std::string& sha256);
    bool knows_artifact(const std::string& sha256) const { return artifacts_.contains(sha256); }

    /// The oldest job that is over; nothing while all are under way.
    Job* oldest_finished();

private:
    void refresh_queues(Job& job);

    std::map<proto::JobId, Job> jobs_;
    std::map<std::uint64_t, Job*> by_number_;
    std::set<std::uint64_t> finished_;
    ReadyQueue ready_;
    std::map<std::string, std::set<std::uint64_t>> waiting_; ///< no empty sets
    std::set<std::uint64_t> waiting_groups_;
    struct Artifact {
        std::uint32_t references = 0;
        std::uint64_t bytes = 0;
    };
    std::map<std::string, Artifact> artifacts_;
    std::uint64_t artifact_bytes_ = 0;
    std::size_t item_count_ = 0;
    std::size_t finished_items_ = 0; ///< of the jobs in finished_
    std::uint64_t next_number_ = 1;
};

} // namespace sdfleet::coordinator
