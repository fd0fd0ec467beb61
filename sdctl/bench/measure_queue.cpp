// SPDX-License-Identifier: Apache-2.0
#include "sdctl/bench/echo_job.hpp"
#include "sdctl/bench/measures.hpp"
#include "sdctl/bench/pinger.hpp"
#include "sdctl/bench/submit_load.hpp"

#include <algorithm>
#include <functional>
#include <thread>

namespace sdfleet::sdctl::bench {

namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t jobs = 10;
constexpr std::uint32_t items_per_page = 1'000;
constexpr auto drawing_time = 3s;

class LongQueue {
public:
    LongQueue(const BenchFleet& fleet, client::Client& client, Pinger& pinger)
        : fleet_(fleet), client_(client), pinger_(pinger)
    {
    }

    base::Result<void> fill(std::uint32_t items)
    {
        const SubmitLoad load{.jobs = jobs, .items_per_job = std::max(items / jobs, 1U), .connections = 1, .window = 1};
        auto outcome = hand_in(fleet_.client_options(), load);
        if (!outcome) {
            return tl::unexpected(std::move(outcome.error()));
        }
        job_ids_ = std::move(outcome->job_ids);
        items_per_job_ = load.items_per_job;
        figures_["items"] = jobs * items_per_job_;
        figures_["queued_s"] = outcome->seconds;
        return {};
    }

    base::Result<void> list()
    {
        for (std::uint32_t first = 0; first < items_per_job_; first += items_per_page) {
            if (const auto page = client_.get_job({job_ids_.front(), first, items_per_page}); !page) {
                return tl::unexpected(page.error());
            }
        }
        const auto listed = client_.list_jobs({});
        return listed ? base::Result<void>{} : tl::unexpected(listed.error());
    }

    base::Result<void> cancel()
    {
        for (const auto& job_id : job_ids_) {
            if (const auto cancelled = client_.cancel(job_id); !cancelled) {
                return tl::unexpected(cancelled.error());
            }
        }
        return {};
    }

    /// What the pinger saw while `action` ran; its waits of before do not count.
    base::Result<void> watch(const std::string& name, const std::function<base::Result<void>()>& action)
    {
        auto before = pinger_.take();
        if (!before) {
            return tl::unexpected(std::move(before.error()));
        }
        const auto begin = Clock::now();
        if (auto acted = action(); !acted) {
            return acted;
        }
        const auto seconds = seconds_since(begin);
        const auto waits = pinger_.take();
        if (!waits) {
            return tl::unexpected(waits.error());
        }
        figures_[name] = Json{{"seconds", seconds},
                              {"pings", waits->count},
                              {"ping_p50_us", waits->p50_us},
                              {"ping_p99_us", waits->p99_us},
                              {"longest_pause_ms", waits->max_us / 1000}};
        return {};
    }

    const Json& figures() const { return figures_; }

private:
    const BenchFleet& fleet_;
    client::Client& client_;
    Pinger& pinger_;
    std::vector<proto::JobId> job_ids_;
    std::uint32_t items_per_job_ = 0;
    Json figures_;
};

base::Result<void> watch_all(LongQueue& queue, BusyFleet& busy, std::uint32_t items)
{
    auto watched = queue.watch("filling", [&] { return queue.fill(items); });
    if (watched) {
        watched = queue.watch("listing", [&] { return queue.list(); });
    }
    if (watched) {
        watched = queue.watch("drawing", [&]() -> base::Result<void> {
            auto freed = busy.end();
            std::this_thread::sleep_for(drawing_time);
            return freed;
        });
    }
    if (watched) {
        watched = queue.watch("cancelling", [&] { return queue.cancel(); });
    }
    return watched;
}

} // namespace

base::Result<Json> measure_queue(const BenchFleet& fleet, std::uint32_t items)
{
    auto client = fleet.connect();
    auto busy = client ? BusyFleet::begin(*client, fleet.ready_actors())
                       : base::Result<BusyFleet>(tl::unexpected(client.error()));
    if (!busy) {
        return tl::unexpected(std::move(busy.error()));
    }
    auto pinger = Pinger::start(fleet);
    if (!pinger) {
        return tl::unexpected(std::move(pinger.error()));
    }
    LongQueue queue(fleet, *client, **pinger);
    if (auto watched = watch_all(queue, *busy, items); !watched) {
        (void)busy->end();
        return tl::unexpected(std::move(watched.error()));
    }
    return queue.figures();
}

} // namespace sdfleet::sdctl::bench
