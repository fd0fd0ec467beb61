// SPDX-License-Identifier: Apache-2.0
#include "sdctl/bench/echo_job.hpp"
#include "sdctl/bench/measures.hpp"

#include "client/job_watch.hpp"

#include <algorithm>

namespace sdfleet::sdctl::bench {

namespace {

/// Submit to done, as a client sees it. Durable twice: the job before its acknowledgement, the result before it counts.
base::Result<Quantiles> measure_round_trips(client::Client& client, std::uint32_t jobs)
{
    constexpr std::chrono::milliseconds wait{10'000};
    std::vector<Clock::duration> samples;
    for (std::uint32_t i = 0; i < jobs; ++i) {
        const auto submit = EchoJob{}.to_submit();
        const auto begin = Clock::now();
        if (auto submitted = client.submit(submit); !submitted) {
            return tl::unexpected(std::move(submitted.error()));
        }
        client::JobWatch watch(client, submit.job_id);
        for (bool is_over = false; !is_over;) {
            const auto changes = watch.next(wait);
            if (!changes) {
                return tl::unexpected(changes.error());
            }
            is_over = client::is_over(changes->job.state);
        }
        samples.push_back(Clock::now() - begin);
    }
    return Quantiles::of(std::move(samples));
}

} // namespace

base::Result<Json> measure_dispatch(const BenchFleet& fleet, std::uint32_t items)
{
    constexpr std::uint32_t jobs_max = 200;
    auto client = fleet.connect();
    if (!client) {
        return tl::unexpected(std::move(client.error()));
    }
    if (auto warm = warm_up(*client, fleet.ready_actors()); !warm) {
        return tl::unexpected(std::move(warm.error()));
    }
    const auto timing = run(*client, {.items = items, .on_one_actor = fleet.ready_actors() > 1});
    if (!timing) {
        return tl::unexpected(timing.error());
    }
    const auto round_trips = measure_round_trips(*client, std::clamp(items / 10, 1U, jobs_max));
    if (!round_trips) {
        return tl::unexpected(round_trips.error());
    }
    return Json{{"items", items},
                {"items_per_s", timing->items_per_s},
                {"jobs_of_one", round_trips->count},
                {"round_trip_p50_us", round_trips->p50_us},
                {"round_trip_p99_us", round_trips->p99_us}};
}

} // namespace sdfleet::sdctl::bench
