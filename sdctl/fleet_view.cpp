// SPDX-License-Identifier: Apache-2.0
#include "sdctl/fleet_view.hpp"

#include "sdctl/progress_text.hpp"

#include <chrono>

#include <fmt/format.h>

namespace sdfleet::sdctl {

namespace {

constexpr double ms_per_second = 1'000;
constexpr double us_per_ms = 1'000;

std::chrono::seconds seconds_of(std::uint64_t ms)
{
    return std::chrono::seconds(ms / 1'000);
}

std::string text_of(const std::optional<double>& ms)
{
    return ms ? fmt::format("{:g} ms", *ms) : "-";
}

} // namespace

std::optional<FleetRates> rates_between(const proto::Status& before, const proto::Status& after)
{
    if (before.epoch != after.epoch || after.uptime_ms <= before.uptime_ms) {
        return std::nullopt;
    }
    const double seconds = static_cast<double>(after.uptime_ms - before.uptime_ms) / ms_per_second;
    return FleetRates{static_cast<double>(after.items_done_total - before.items_done_total) / seconds,
                      static_cast<double>(after.steps_total - before.steps_total) / seconds};
}

std::optional<double> quantile_ms(const std::vector<proto::HistogramBucket>& buckets, double share)
{
    std::uint64_t total = 0;
    for (const auto& bucket : buckets) {
        total += bucket.count;
    }
    std::uint64_t counted = 0;
    double last_bound_us = 0;
    for (const auto& bucket : buckets) {
        counted += bucket.count;
        last_bound_us = bucket.upper_us == UINT64_MAX ? last_bound_us : static_cast<double>(bucket.upper_us);
        if (total > 0 && static_cast<double>(counted) >= share * static_cast<double>(total)) {
            return last_bound_us / us_per_ms;
        }
    }
    return std::nullopt;
}

Json to_json(const proto::Status& s, const std::optional<FleetRates>& rates)
{
    Json faults = Json::array();
    for (const auto& fault : s.faults) {
        faults.push_back({{"age_ms", fault.age_ms}, {"text", fault.text}});
    }
    const auto number = [](const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); };
    return {{"software", s.software},
            {"epoch", s.epoch},
            {"uptime_ms", s.uptime_ms},
            {"is_braking", s.is_braking},
            {"storage_fault", s.storage_fault},
            {"nodes",
             {{"alive", s.nodes_alive},
              {"suspect", s.nodes_suspect},
              {"lost", s.nodes_lost},
              {"draining", s.nodes_draining},
              {"lost_total", s.nodes_lost_total}}},
            {"actors",
             {{"busy", s.actors_busy},
              {"idle", s.actors_idle},
              {"starting", s.actors_starting},
              {"failed", s.actors_failed},
              {"lent", s.actors_lent}}},
            {"jobs", {{"unfinished", s.jobs_unfinished}, {"kept", s.jobs_kept}}},
            {"items",
             {{"queued", s.items_queued},
              {"in_flight", s.items_in_flight},
              {"batched", s.items_batched},
              {"done_total", s.items_done_total},
              {"failed_total", s.items_failed_total},
              {"cancelled_total", s.items_cancelled_total}}},
            {"steps_total", s.steps_total},
            {"assigns_total", s.assigns_total},
            {"retries_total", s.retries_total},
            {"taken_back_total", s.taken_back_total},
            {"speculated_total", s.speculated_total},
            {"stale_results_total", s.stale_results_total},
            {"corrupt_results_total", s.corrupt_results_total},
            {"misdirected_total", s.misdirected_total},
            {"bytes_stored", s.bytes_stored},
            {"items_per_second", rates ? Json(rates->items_per_second) : Json(nullptr)},
            {"steps_per_second", rates ? Json(rates->steps_per_second) : Json(nullptr)},
            {"dispatch_ms",
             {{"p50", number(quantile_ms(s.dispatch, 0.5))}, {"p99", number(quantile_ms(s.dispatch, 0.99))}}},
            {"faults", faults}};
}

std::vector<std::string> fleet_lines(const proto::Status& s, const std::optional<FleetRates>& rates)
{
    std::vector<std::string> lines{
        fmt::format("nodes    {} alive, {} suspect, {} lost, {} draining", s.nodes_alive, s.nodes_suspect, s.nodes_lost,
                    s.nodes_draining),
        fmt::format("actors   {} busy, {} idle, {} starting, {} failed", s.actors_busy, s.actors_idle,
                    s.actors_starting, s.actors_failed),
        fmt::format("jobs     {} unfinished, {} in the books", s.jobs_unfinished, s.jobs_kept),
        fmt::format("items    {} queued, {} in flight, {} of them drawn at once; {} done, {} failed, {} cancelled "
                    "since the start, {} ago",
                    s.items_queued, s.items_in_flight, s.items_batched, s.items_done_total, s.items_failed_total,
                    s.items_cancelled_total, clock_text(seconds_of(s.uptime_ms))),
        fmt::format("tries    {} given out, {} again, {} moved, {} twice; {} results refused as stale, {} as damaged",
                    s.assigns_total, s.retries_total, s.taken_back_total, s.speculated_total, s.stale_results_total,
                    s.corrupt_results_total),
        fmt::format(
            "pace     {}; an item takes up to {} (half), {} (99 of 100)",
            rates ? fmt::format("{:.1f} items/s, {:.1f} steps/s", rates->items_per_second, rates->steps_per_second)
                  : "- items/s, - steps/s",
            text_of(quantile_ms(s.dispatch, 0.5)), text_of(quantile_ms(s.dispatch, 0.99))),
        fmt::format("results  {:.1f} MiB", static_cast<double>(s.bytes_stored) / (1024.0 * 1024.0))};
    if (s.is_braking) {
        lines.emplace_back("ALARM    most nodes fell silent at once; their work is held for them");
    }
    if (!s.storage_fault.empty()) {
        lines.push_back("ALARM    results cannot be written: " + s.storage_fault);
    }
    for (const auto& fault : s.faults) {
        lines.push_back(fmt::format("{:>7}  {}", clock_text(seconds_of(fault.age_ms)) + " ago", fault.text));
    }
    return lines;
}

} // namespace sdfleet::sdctl
