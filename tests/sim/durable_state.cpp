// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/durable_state.hpp"

#include "tests/sim/picture.hpp"

namespace sdfleet::sim {

namespace {

struct Apply {
    DurableState& state;

    bool operator()(const coordinator::InsertJob& insert) const
    {
        if (!state.jobs.try_emplace(insert.job_id, coordinator::RestoredJob{insert, false, {}}).second) {
            return false;
        }
        state.order.push_back(insert.job_id);
        return true;
    }

    bool operator()(const coordinator::SettleItems& settle) const
    {
        const auto job = state.jobs.find(settle.job_id);
        if (job == state.jobs.end()) {
            return false;
        }
        for (const auto& outcome : settle.outcomes) {
            std::erase_if(job->second.outcomes, [&](const auto& old) { return old.index == outcome.index; });
            job->second.outcomes.push_back(outcome);
        }
        if (settle.content) {
            state.small_artifacts.try_emplace(settle.outcomes.front().sha256, text_of(*settle.content));
        }
        return true;
    }

    bool operator()(const coordinator::MarkJobCancelled& cancel) const
    {
        if (const auto job = state.jobs.find(cancel.job_id); job != state.jobs.end()) {
            job->second.is_cancelled = true;
        }
        return true;
    }

    bool operator()(const coordinator::ForgetJobs& forget) const
    {
        for (const auto& id : forget.jobs) {
            state.jobs.erase(id);
            std::erase(state.order, id);
        }
        for (const auto& sha256 : forget.artifacts) {
            state.small_artifacts.erase(sha256);
        }
        return true;
    }

    bool operator()(const coordinator::SetNodePolicy& policy) const
    {
        state.nodes[policy.node_id] = policy;
        return true;
    }
};

} // namespace

bool DurableState::apply(const coordinator::StoreOperation& operation)
{
    return std::visit(Apply{*this}, operation);
}

coordinator::Restored DurableState::restored() const
{
    coordinator::Restored restored;
    for (const auto& id : order) {
        restored.jobs.push_back(jobs.at(id));
    }
    for (const auto& [id, policy] : nodes) {
        restored.nodes.push_back(policy);
    }
    return restored;
}

} // namespace sdfleet::sim
