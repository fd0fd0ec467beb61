// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/priority_watch.hpp"

#include "tests/sim/description.hpp"
#include "tests/sim/violation.hpp"

namespace sdfleet::sim {

void PriorityWatch::coordinator_starts(const DurableState& disk)
{
    jobs_.clear();
    submits_.clear();
    for (const auto& [id, job] : disk.jobs) {
        if (!job.is_cancelled) {
            add(job.job);
        }
        for (const auto& outcome : job.outcomes) {
            take(id, outcome.index);
        }
    }
}

void PriorityWatch::add(const coordinator::InsertJob& insert)
{
    if (insert.spec->split != proto::Split::pull) {
        return;
    }
    auto& job = jobs_[insert.job_id] = {insert.spec->model, insert.spec->priority, {}};
    for (std::uint32_t index = 0; index < insert.spec->items.size(); ++index) {
        job.waiting.insert({index});
    }
}

void PriorityWatch::take(const proto::JobId& job, proto::ItemIndex index)
{
    if (const auto found = jobs_.find(job); found != jobs_.end()) {
        found->second.waiting.erase(index);
    }
}

void PriorityWatch::before_step(const coordinator::Event& event)
{
    if (const auto* committed = std::get_if<coordinator::StoreCommitted>(&event)) {
        if (const auto submit = submits_.find(committed->ticket); submit != submits_.end()) {
            add(submit->second);
            submits_.erase(submit);
        }
    } else if (const auto* packet = std::get_if<coordinator::PacketReceived>(&event)) {
        if (const auto* hello = std::get_if<proto::AgentHello>(&packet->message)) {
            for (const auto& report : hello->attempts) {
                take(report.job_id, report.index); // it may be adopted
            }
        } else if (const auto* cancel = std::get_if<proto::CancelJob>(&packet->message)) {
            jobs_.erase(cancel->job_id);
        }
    }
}

void PriorityWatch::after_step(const coordinator::Effects& effects)
{
    for (const auto& effect : effects) {
        if (const auto* send = std::get_if<coordinator::Send>(&effect)) {
            if (const auto* assigned = std::get_if<proto::Assign>(&send->message)) {
                assign(*assigned);
            }
        } else if (const auto* persist = std::get_if<coordinator::Persist>(&effect)) {
            if (const auto* insert = std::get_if<coordinator::InsertJob>(&persist->operation)) {
                submits_.emplace(persist->ticket, *insert);
            } else if (const auto* settle = std::get_if<coordinator::SettleItems>(&persist->operation)) {
                for (const auto& outcome : settle->outcomes) {
                    take(settle->job_id, outcome.index);
                }
            }
        }
    }
}

void PriorityWatch::assign(const proto::Assign& assign)
{
    take(assign.job_id, assign.index);
    const auto given = jobs_.find(assign.job_id);
    if (given == jobs_.end()) {
        return;
    }
    for (const auto& [id, job] : jobs_) {
        const bool is_passed_over =
            job.model == given->second.model && job.priority > given->second.priority && !job.waiting.empty();
        require(!is_passed_over, "I14", [&] {
            return describe(assign.attempt_id) + " of " + proto::to_string(proto::ItemId{assign.job_id, assign.index}) +
                   " in slot " + std::to_string(assign.slot.value) + " (priority " +
                   std::to_string(given->second.priority) + ") was given out while " +
                   std::to_string(job.waiting.size()) + " of " + id.value + " (priority " +
                   std::to_string(job.priority) + ") wait";
        });
    }
}

} // namespace sdfleet::sim
