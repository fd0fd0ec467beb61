// SPDX-License-Identifier: Apache-2.0
#include "sdctl/bench/echo_job.hpp"
#include "sdctl/bench/measures.hpp"
#include "sdctl/bench/submit_load.hpp"

namespace sdfleet::sdctl::bench {

base::Result<Json> measure_submit(const BenchFleet& fleet, std::uint32_t jobs)
{
    auto client = fleet.connect();
    auto busy = client ? BusyFleet::begin(*client, fleet.ready_actors())
                       : base::Result<BusyFleet>(tl::unexpected(client.error()));
    if (!busy) {
        return tl::unexpected(std::move(busy.error()));
    }
    const SubmitLoad load{.jobs = jobs};
    const auto outcome = hand_in(fleet.client_options(), load);
    if (auto freed = busy->end(); !freed) {
        return tl::unexpected(std::move(freed.error()));
    }
    if (!outcome) {
        return tl::unexpected(outcome.error());
    }
    return Json{{"jobs", jobs},
                {"under_way", load.connections * load.window},
                {"submits_per_s", jobs / outcome->seconds},
                {"acknowledged_p50_us", outcome->acknowledged.p50_us},
                {"acknowledged_p99_us", outcome->acknowledged.p99_us}};
}

} // namespace sdfleet::sdctl::bench
