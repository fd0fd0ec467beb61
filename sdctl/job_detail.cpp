// SPDX-License-Identifier: Apache-2.0
#include "sdctl/job_detail.hpp"

#include <iterator>

namespace sdfleet::sdctl {

base::Result<proto::JobDetail> get_whole_job(client::Client& client, const proto::JobId& job_id)
{
    constexpr std::uint32_t items_per_request = 500;
    auto whole = client.get_job({job_id, 0, items_per_request});
    while (whole && whole->specs.size() < whole->job.total) {
        const auto next = static_cast<std::uint32_t>(whole->specs.size());
        auto part = client.get_job({job_id, next, items_per_request});
        if (!part) {
            return part;
        }
        if (part->specs.empty() || part->specs.size() != part->reports.size()) {
            return base::fail(base::ExitCode::failed, "the coordinator does not tell all items of job " + job_id.value);
        }
        whole->job = part->job;
        std::ranges::move(part->specs, std::back_inserter(whole->specs));
        std::ranges::move(part->reports, std::back_inserter(whole->reports));
    }
    return whole;
}

} // namespace sdfleet::sdctl
