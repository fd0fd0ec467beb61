// SPDX-License-Identifier: Apache-2.0
#include "sdctl/bench/echo_job.hpp"
#include "sdctl/bench/measures.hpp"

namespace sdfleet::sdctl::bench {

base::Result<Json> measure_throughput(const BenchFleet& fleet, std::uint32_t items)
{
    auto client = fleet.connect();
    if (!client) {
        return tl::unexpected(std::move(client.error()));
    }
    if (auto warm = warm_up(*client, fleet.ready_actors()); !warm) {
        return tl::unexpected(std::move(warm.error()));
    }
    const auto timing = run(*client, {.items = items});
    if (!timing) {
        return tl::unexpected(timing.error());
    }
    return Json{{"actors", fleet.ready_actors()},
                {"items", items},
                {"seconds", timing->seconds},
                {"items_per_s", timing->items_per_s},
                {"first_done_ms", timing->first_done_ms}};
}

} // namespace sdfleet::sdctl::bench
