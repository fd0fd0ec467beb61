// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/store_operation.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace sdfleet::sim {

/// What would still be there after the power failed: the model of the coordinator's database and artifact folder.
struct DurableState {
    std::map<proto::JobId, coordinator::RestoredJob> jobs;
    std::vector<proto::JobId> order; ///< of submits
    std::map<proto::NodeId, coordinator::SetNodePolicy> nodes;
    std::map<std::string, std::string> small_artifacts; ///< bytes by hash, in the database
    std::map<std::string, std::string> artifact_files;  ///< bytes by hash

    const coordinator::RestoredJob* find(const proto::JobId& id) const
    {
        const auto found = jobs.find(id);
        return found == jobs.end() ? nullptr : &found->second;
    }

    const coordinator::ItemOutcome* find(const proto::ItemId& id) const
    {
        const auto* job = find(id.job_id);
        if (job == nullptr) {
            return nullptr;
        }
        const auto found = std::ranges::find(job->outcomes, id.index, &coordinator::ItemOutcome::index);
        return found == job->outcomes.end() ? nullptr : &*found;
    }

    bool is_over(const proto::JobId& id) const
    {
        const auto* job = find(id);
        return job != nullptr && (job->is_cancelled || job->outcomes.size() == job->job.spec->items.size());
    }

    const std::string* find_artifact(const std::string& sha256) const
    {
        if (const auto small = small_artifacts.find(sha256); small != small_artifacts.end()) {
            return &small->second;
        }
        const auto file = artifact_files.find(sha256);
        return file == artifact_files.end() ? nullptr : &file->second;
    }

    /// False when it cannot be done: the database would refuse it.
    bool apply(const coordinator::StoreOperation& operation);
    coordinator::Restored restored() const;
};

} // namespace sdfleet::sim
