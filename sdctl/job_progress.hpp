// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/messages.hpp"
#include "sdctl/progress_meter.hpp"
#include "sdctl/progress_text.hpp"

#include <cstdint>
#include <map>

namespace sdfleet::sdctl {

/// Turns the changes of a job into what a progress display shows. Pure: told the time.
class JobProgress {
public:
    /// `kept` pictures of the `total` are there already and not in the job. `steps` is what each picture takes (1 where
    /// there are no steps).
    JobProgress(std::uint32_t total, std::uint32_t kept, std::uint32_t steps);

    void apply(const proto::JobChanges& changes, ProgressMeter::Time now);

    ProgressView view() const;

private:
    std::uint32_t steps_of(const proto::ItemReport& item) const;

    std::uint32_t total_;
    std::uint32_t kept_;
    std::uint32_t steps_;
    std::map<std::uint32_t, std::uint32_t> steps_done_; ///< by item; only those begun
    std::uint64_t all_steps_done_ = 0;
    ProgressMeter meter_;
    proto::JobSummary job_;
    std::vector<proto::ActorReport> actors_;
};

} // namespace sdfleet::sdctl
