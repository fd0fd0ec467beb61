// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/job.hpp"

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
    const std::map<std::uint64_t, proto::JobId>& by_number() const { return by_number_; }
    std::size_t item_count() const { return item_count_; }

    /// Puts an item back into the queue, or takes one out of it. The item's state is the caller's business.
    void enqueue(Job& job, std::uint32_t index);
    void dequeue(Job& job, std::uint32_t index);

    /// Call when a job may be served from now on, or may no longer.
    void refresh(const Job& job);

    bool has_queued() const { return !ready_.empty(); }

    /// The first job with queued items that satisfies the predicate, sought from the job after the one served last, so
    /// that a long job does not hold up a short one.
    template <class Predicate>
    Job* find_in_turn(Predicate&& predicate)
    {
        const auto after = ready_.upper_bound(last_served_);
        for (auto it = after; it != ready_.end(); ++it) {
            if (Job* job = find(by_number_.at(*it)); predicate(*job)) {
                return job;
            }
        }
        for (auto it = ready_.begin(); it != after; ++it) {
            if (Job* job = find(by_number_.at(*it)); predicate(*job)) {
                return job;
            }
        }
        return nullptr;
    }
    void served(const Job& job) { last_served_ = job.number(); }

    void add_artifact(const std::string& sha256) { ++artifacts_[sha256]; }
    /// True when nobody refers to it any more.
    bool drop_artifact(const std::string& sha256);
    bool knows_artifact(const std::string& sha256) const { return artifacts_.contains(sha256); }

    /// The oldest job that is over; nothing while all are under way.
    Job* oldest_finished();

private:
    std::map<proto::JobId, Job> jobs_;
    std::map<std::uint64_t, proto::JobId> by_number_;
    std::set<std::uint64_t> ready_;
    std::map<std::string, std::uint32_t> artifacts_;
    std::size_t item_count_ = 0;
    std::uint64_t next_number_ = 1;
    std::uint64_t last_served_ = 0;
};

} // namespace sdfleet::coordinator
