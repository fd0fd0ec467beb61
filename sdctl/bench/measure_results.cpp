// SPDX-License-Identifier: Apache-2.0
#include "sdctl/bench/echo_job.hpp"
#include "sdctl/bench/measures.hpp"

#include "sdctl/follow.hpp"

namespace sdfleet::sdctl::bench {

namespace {

constexpr std::uint32_t result_bytes = 3 << 20;

/// Results a second, submit to the last one here, each fetched as soon as it is known and checked against its hash.
base::Result<double> bring_all(client::Client& client, std::uint32_t results)
{
    constexpr std::chrono::milliseconds wait{1'000};
    const auto submit = EchoJob{.items = results, .result_bytes = result_bytes}.to_submit();
    const auto begin = Clock::now();
    if (auto submitted = client.submit(submit); !submitted) {
        return tl::unexpected(std::move(submitted.error()));
    }
    std::uint32_t fetched = 0;
    const auto fetch = [&](const proto::JobChanges& changes) -> base::Result<void> {
        for (const auto& item : changes.items) {
            if (item.state != proto::ItemState::done) {
                continue;
            }
            if (auto artifact = client.fetch_artifact(item.sha256); !artifact) {
                return tl::unexpected(std::move(artifact.error()));
            }
            ++fetched;
        }
        return {};
    };
    const auto ended = follow_job(client, submit.job_id, wait, fetch);
    if (!ended) {
        return tl::unexpected(ended.error());
    }
    if (fetched < results) {
        return base::fail(base::ExitCode::failed,
                          "of " + std::to_string(results) + " results only " + std::to_string(fetched) + " came");
    }
    return results / seconds_since(begin);
}

} // namespace

base::Result<Json> measure_results(const BenchFleet& fleet, std::uint32_t results)
{
    auto client = fleet.connect();
    if (!client) {
        return tl::unexpected(std::move(client.error()));
    }
    if (auto warm = warm_up(*client, fleet.ready_actors()); !warm) {
        return tl::unexpected(std::move(warm.error()));
    }
    const auto stored = run(*client, {.items = results, .result_bytes = result_bytes});
    if (!stored) {
        return tl::unexpected(stored.error());
    }
    const auto brought = bring_all(*client, results);
    if (!brought) {
        return tl::unexpected(brought.error());
    }
    return Json{{"results", results},
                {"result_bytes", result_bytes},
                {"stored_per_s", stored->items_per_s},
                {"fetched_per_s", *brought}};
}

} // namespace sdfleet::sdctl::bench
