// SPDX-License-Identifier: Apache-2.0
#include "coordinator/gateway/metrics.hpp"

#include <limits>
#include <utility>
#include <vector>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

namespace sdfleet::coordinator::gateway {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr double us_per_second = 1e6;
constexpr double ms_per_second = 1e3;

class Families {
public:
    void counter(std::string name, std::string help, std::uint64_t value)
    {
        ClientMetric metric;
        metric.counter.value = static_cast<double>(value);
        begin(std::move(name), std::move(help), MetricType::Counter).metric.push_back(std::move(metric));
    }

    void gauge(std::string name, std::string help, double value, Labels labels = {})
    {
        begin(std::move(name), std::move(help), MetricType::Gauge);
        add_gauge(value, std::move(labels));
    }

    /// One more value of the gauge that was begun last.
    void add_gauge(double value, Labels labels)
    {
        ClientMetric metric;
        metric.label = std::move(labels);
        metric.gauge.value = value;
        all_.back().metric.push_back(std::move(metric));
    }

    void by_state(std::string name, std::string help, const std::vector<std::pair<const char*, std::uint64_t>>& values)
    {
        begin(std::move(name), std::move(help), MetricType::Gauge);
        for (const auto& [state, value] : values) {
            add_gauge(static_cast<double>(value), {{"state", state}});
        }
    }

    /// Status counts each bucket for itself; Prometheus wants each to hold those below it too.
    void histogram(std::string name, std::string help, const std::vector<proto::HistogramBucket>& buckets,
                   std::uint64_t sum_us)
    {
        ClientMetric metric;
        for (const auto& bucket : buckets) {
            metric.histogram.sample_count += bucket.count;
            const bool is_last = bucket.upper_us == std::numeric_limits<std::uint64_t>::max();
            metric.histogram.bucket.push_back(
                {metric.histogram.sample_count, is_last ? std::numeric_limits<double>::infinity()
                                                        : static_cast<double>(bucket.upper_us) / us_per_second});
        }
        metric.histogram.sample_sum = static_cast<double>(sum_us) / us_per_second;
        begin(std::move(name), std::move(help), MetricType::Histogram).metric.push_back(std::move(metric));
    }

    const std::vector<MetricFamily>& all() const { return all_; }

private:
    MetricFamily& begin(std::string name, std::string help, MetricType type)
    {
        return all_.emplace_back(MetricFamily{std::move(name), std::move(help), type, {}});
    }

    std::vector<MetricFamily> all_;
};

void add_fleet(Families& families, const proto::Status& s)
{
    families.gauge("sdfleet_build_info", "Always 1; the label tells the version.", 1, {{"version", s.software}});
    families.gauge("sdfleet_uptime_seconds", "Since the coordinator started.",
                   static_cast<double>(s.uptime_ms) / ms_per_second);
    families.gauge("sdfleet_epoch", "How many times a coordinator has started on this data folder.",
                   static_cast<double>(s.epoch));
    families.gauge("sdfleet_brake_active", "1 while most nodes are silent at once and their work is held for them.",
                   s.is_braking ? 1 : 0);
    families.gauge("sdfleet_storage_failing", "1 while results cannot be written to disk.",
                   s.storage_fault.empty() ? 0 : 1);
    families.by_state("sdfleet_nodes", "Nodes by state.",
                      {{"alive", s.nodes_alive}, {"suspect", s.nodes_suspect}, {"lost", s.nodes_lost}});
    families.gauge("sdfleet_nodes_draining", "Nodes, not lost, that get no new work.", s.nodes_draining);
    families.by_state("sdfleet_actors", "Actors of nodes that are not lost, by state.",
                      {{"busy", s.actors_busy},
                       {"idle", s.actors_idle},
                       {"starting", s.actors_starting},
                       {"failed", s.actors_failed},
                       {"lent", s.actors_lent}});
    families.counter("sdfleet_nodes_lost_total", "Times that a node was given up.", s.nodes_lost_total);
}

void add_work(Families& families, const proto::Status& s)
{
    families.gauge("sdfleet_jobs_unfinished", "Jobs with items that have not ended.", s.jobs_unfinished);
    families.gauge("sdfleet_jobs_kept", "Jobs in the books, finished ones too.", s.jobs_kept);
    families.gauge("sdfleet_items_queued", "Items that wait for an actor.", static_cast<double>(s.items_queued));
    families.gauge("sdfleet_items_in_flight", "Attempts at items that actors have in hand.",
                   static_cast<double>(s.items_in_flight));
    families.gauge("sdfleet_items_batched", "Those of them that actors draw at once, the others waiting behind them.",
                   static_cast<double>(s.items_batched));
    families.gauge("sdfleet_stored_bytes", "Size of all results in the books.", static_cast<double>(s.bytes_stored));
    families.counter("sdfleet_items_done_total", "Items that ended with a result.", s.items_done_total);
    families.counter("sdfleet_items_failed_total", "Items that ended without a result.", s.items_failed_total);
    families.counter("sdfleet_items_cancelled_total", "Items that were cancelled.", s.items_cancelled_total);
    families.counter("sdfleet_steps_total", "Denoising steps that actors reported.", s.steps_total);
    families.counter("sdfleet_assigns_total", "Attempts given to actors.", s.assigns_total);
    families.counter("sdfleet_retries_total", "Items given out again after a failed attempt.", s.retries_total);
    families.counter("sdfleet_taken_back_total", "Waiting items moved from a busy actor to an idle one.",
                     s.taken_back_total);
    families.counter("sdfleet_speculated_total", "Second copies of slow items begun.", s.speculated_total);
    families.counter("sdfleet_stale_results_total", "Results refused because their attempt no longer counted.",
                     s.stale_results_total);
    families.counter("sdfleet_corrupt_results_total", "Results refused because their bytes did not match their hash.",
                     s.corrupt_results_total);
    families.counter("sdfleet_misdirected_messages_total", "Messages dropped because their sender may not send them.",
                     s.misdirected_total);
    families.histogram("sdfleet_dispatch_seconds", "From an item's assignment to the arrival of its result.",
                       s.dispatch, s.dispatch_sum_us);
}

} // namespace

std::string metrics_text(const proto::Status& status)
{
    Families families;
    add_fleet(families, status);
    add_work(families, status);
    return prometheus::TextSerializer().Serialize(families.all());
}

} // namespace sdfleet::coordinator::gateway
