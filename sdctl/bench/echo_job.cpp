// SPDX-License-Identifier: Apache-2.0
#include "sdctl/bench/echo_job.hpp"

#include "client/job_watch.hpp"
#include "sdctl/job_options.hpp"

#include <chrono>
#include <thread>
#include <utility>

namespace sdfleet::sdctl::bench {

namespace {

using namespace std::chrono_literals;

constexpr auto poll_interval = 5ms;
constexpr std::uint32_t items_in_flight = 2; ///< of each actor: one runs, one is staged

base::Result<proto::JobSummary> summary_of(client::Client& client, const proto::JobId& job_id)
{
    auto detail = client.get_job({job_id, 0, 0});
    if (!detail) {
        return tl::unexpected(std::move(detail.error()));
    }
    return std::move(detail->job);
}

} // namespace

proto::Submit EchoJob::to_submit() const
{
    proto::Submit submit;
    submit.job_id.value = make_job_id();
    submit.spec.parameters.kind = proto::EchoParameters{delay_ms, result_bytes};
    submit.spec.split = on_one_actor ? proto::Split::rank : proto::Split::pull;
    submit.spec.items.reserve(items);
    for (std::uint32_t index = 0; index < items; ++index) {
        proto::ItemSpec item;
        item.prompt = submit.job_id.value + " " + std::to_string(index) + "\n";
        if (on_one_actor) {
            item.rank = 0;
        }
        submit.spec.items.push_back(std::move(item));
    }
    return submit;
}

base::Result<JobTiming> run(client::Client& client, const EchoJob& job)
{
    const auto submit = job.to_submit();
    if (auto submitted = client.submit(submit); !submitted) {
        return tl::unexpected(std::move(submitted.error()));
    }
    const auto begin = Clock::now();
    JobTiming timing;
    auto first_seen = begin;
    std::uint32_t done_at_first = 0;
    for (;;) {
        auto summary = summary_of(client, submit.job_id);
        if (!summary) {
            return tl::unexpected(std::move(summary.error()));
        }
        if (done_at_first == 0 && summary->done > 0) {
            done_at_first = summary->done;
            first_seen = Clock::now();
            timing.first_done_ms = std::chrono::duration<double, std::milli>(first_seen - begin).count();
        }
        if (client::is_over(summary->state)) {
            if (summary->state != proto::JobState::done) {
                return base::fail(base::ExitCode::failed, "the echo job " + submit.job_id.value +
                                                              " did not end well; 'sdctl job " + submit.job_id.value +
                                                              "' says why");
            }
            // A job so short that the first look at it was the last one is measured from its submit.
            const bool has_span = done_at_first < summary->done;
            timing.seconds = seconds_since(has_span ? first_seen : begin);
            timing.items_per_s = (has_span ? summary->done - done_at_first : summary->done) / timing.seconds;
            return timing;
        }
        std::this_thread::sleep_for(poll_interval);
    }
}

base::Result<void> warm_up(client::Client& client, std::uint32_t actors)
{
    constexpr std::uint32_t items_per_actor = 20;
    const auto timing = run(client, {.items = actors * items_per_actor});
    return timing ? base::Result<void>{} : tl::unexpected(timing.error());
}

base::Result<BusyFleet> BusyFleet::begin(client::Client& client, std::uint32_t actors)
{
    constexpr std::uint32_t long_enough_ms = 60 * 60 * 1000;
    const auto submit = EchoJob{.items = actors * items_in_flight, .delay_ms = long_enough_ms}.to_submit();
    if (auto submitted = client.submit(submit); !submitted) {
        return tl::unexpected(std::move(submitted.error()));
    }
    for (;;) {
        const auto summary = summary_of(client, submit.job_id);
        if (!summary) {
            return tl::unexpected(summary.error());
        }
        if (summary->running == summary->total) {
            return BusyFleet(client, submit.job_id);
        }
        std::this_thread::sleep_for(poll_interval);
    }
}

base::Result<void> BusyFleet::end()
{
    const auto cancelled = client_->cancel(job_id_);
    return cancelled ? base::Result<void>{} : tl::unexpected(cancelled.error());
}

} // namespace sdfleet::sdctl::bench
