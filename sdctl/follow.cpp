// SPDX-License-Identifier: Apache-2.0
#include "sdctl/follow.hpp"

#include "client/job_watch.hpp"

namespace sdfleet::sdctl {

base::Result<proto::JobSummary>
follow_job(client::Client& client, const proto::JobId& job_id, std::chrono::milliseconds wait,
           const std::function<base::Result<void>(const proto::JobChanges&)>& on_changes)
{
    client::JobWatch watch(client, job_id);
    for (;;) {
        auto changes = watch.next(wait);
        if (!changes) {
            return tl::unexpected(std::move(changes.error()));
        }
        if (auto handled = on_changes(*changes); !handled) {
            return tl::unexpected(std::move(handled.error()));
        }
        if (client::is_over(changes->job.state) && !changes->more) {
            return std::move(changes->job);
        }
    }
}

std::chrono::milliseconds now_for_display()
{
    static const auto start = std::chrono::steady_clock::now();
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
}

base::ExitCode exit_code_of(proto::JobState state)
{
    const bool is_bad = state == proto::JobState::failed || state == proto::JobState::cancelled;
    return is_bad ? base::ExitCode::job_failed : base::ExitCode::ok;
}

} // namespace sdfleet::sdctl
