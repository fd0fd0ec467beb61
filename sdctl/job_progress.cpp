// SPDX-License-Identifier: Apache-2.0
#include "sdctl/job_progress.hpp"

#include <algorithm>

namespace sdfleet::sdctl {

JobProgress::JobProgress(std::uint32_t total, std::uint32_t kept, std::uint32_t steps)
    : total_(total), kept_(kept), steps_(std::max(steps, 1U)), meter_(std::uint64_t{steps_} * (total - kept))
{
}

std::uint32_t JobProgress::steps_of(const proto::ItemReport& item) const
{
    switch (item.state) {
    case proto::ItemState::queued:
    case proto::ItemState::assigned:
        return 0;
    case proto::ItemState::running:
        return std::min(item.step, steps_);
    case proto::ItemState::done:
    case proto::ItemState::failed:
    case proto::ItemState::cancelled:
        break;
    }
    return steps_;
}

void JobProgress::apply(const proto::JobChanges& changes, ProgressMeter::Time now)
{
    for (const auto& item : changes.items) {
        auto& steps = steps_done_[item.index.value];
        all_steps_done_ -= steps;
        steps = steps_of(item);
        all_steps_done_ += steps;
    }
    meter_.add(now, all_steps_done_);
    job_ = changes.job;
    actors_ = changes.actors;
}

ProgressView JobProgress::view() const
{
    return {kept_ + job_.done, job_.failed, total_, meter_.rate(), meter_.time_left(), job_.waiting_for, actors_};
}

} // namespace sdfleet::sdctl
