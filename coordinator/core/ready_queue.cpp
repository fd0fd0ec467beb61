// SPDX-License-Identifier: Apache-2.0
#include "coordinator/core/ready_queue.hpp"

#include <algorithm>

namespace sdfleet::coordinator {

void ReadyQueue::insert(Job& job)
{
    job.is_in_turn = true;
    job.service = std::max(job.service, virtual_time_[job.turn().urgency]);
    by_model_[job.spec().model].insert(job.turn());
}

void ReadyQueue::erase(const Job& job)
{
    const auto found = by_model_.find(job.spec().model);
    found->second.erase(job.turn());
    if (found->second.empty()) {
        by_model_.erase(found);
    }
}

void ReadyQueue::refresh(Job& job)
{
    const bool should_be = job.is_open() && job.has_unpinned() && job.spec().group == 0;
    if (should_be && !job.is_in_turn) {
        insert(job);
    } else if (!should_be && job.is_in_turn) {
        erase(job);
        job.is_in_turn = false;
    }
}

void ReadyQueue::refresh_pin(const Job& job, std::uint32_t rank)
{
    const auto& actor = job.record().ranks[rank];
    const Pin pin{job.turn().urgency, job.number()};
    if (job.is_open() && job.has_pinned_for(rank)) {
        by_actor_[actor].insert(pin);
    } else if (const auto found = by_actor_.find(actor); found != by_actor_.end()) {
        found->second.erase(pin);
        if (found->second.empty()) {
            by_actor_.erase(found);
        }
    }
}

void ReadyQueue::remove(Job& job)
{
    if (job.is_in_turn) {
        erase(job);
        job.is_in_turn = false;
    }
}

void ReadyQueue::charge(Job& job, std::uint64_t cost_ms)
{
    auto& time = virtual_time_[job.turn().urgency];
    time = std::max(time, job.service);
    move_to(job, job.service + cost_ms);
}

void ReadyQueue::correct(Job& job, std::uint64_t charged_ms, std::uint64_t took_ms)
{
    const auto service = job.service + took_ms;
    move_to(job, service - std::min(service, charged_ms));
}

void ReadyQueue::move_to(Job& job, std::uint64_t service)
{
    if (service == job.service) {
        return;
    }
    if (job.is_in_turn) {
        erase(job);
    }
    job.service = service;
    if (job.is_in_turn) {
        by_model_[job.spec().model].insert(job.turn());
    }
}

} // namespace sdfleet::coordinator
