// SPDX-License-Identifier: Apache-2.0
// The core's part that tells the whole fleet in numbers.
#include "coordinator/core/core.hpp"

#include <algorithm>
#include <array>

namespace sdfleet::coordinator {

namespace {

constexpr std::array<std::int64_t, DispatchTimes::buckets - 1> upper_ms{
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000};

constexpr std::uint64_t us_per_ms = 1'000;

void count_node(proto::Status& status, const Node& node)
{
    if (node.state == proto::NodeState::lost) {
        ++status.nodes_lost;
        return;
    }
    ++(node.state == proto::NodeState::alive ? status.nodes_alive : status.nodes_suspect);
    status.nodes_draining += node.is_draining ? 1 : 0;
    for (const auto& [slot, actor] : node.actors) {
        status.items_batched += actor.batched;
        if (actor.state.phase == proto::ActorPhase::ready) {
            ++(actor.in_flight.empty() ? status.actors_idle : status.actors_busy);
        } else if (actor.state.phase == proto::ActorPhase::failed) {
            ++status.actors_failed;
        } else if (actor.state.phase == proto::ActorPhase::lent || actor.state.phase == proto::ActorPhase::vacant) {
            ++status.actors_lent;
        } else {
            ++status.actors_starting;
        }
    }
}

} // namespace

void DispatchTimes::count(Milliseconds time)
{
    const auto bucket = std::ranges::lower_bound(upper_ms, time.count);
    ++counts_[static_cast<std::size_t>(bucket - upper_ms.begin())];
    sum_.count += time.count;
}

std::vector<proto::HistogramBucket> DispatchTimes::report() const
{
    std::vector<proto::HistogramBucket> report;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        report.push_back(
            {i < upper_ms.size() ? static_cast<std::uint64_t>(upper_ms[i]) * us_per_ms : UINT64_MAX, counts_[i]});
    }
    return report;
}

proto::Status Core::status(std::uint32_t max_faults, Milliseconds now) const
{
    proto::Status status;
    status.software = identity_.software;
    status.epoch = identity_.epoch;
    status.uptime_ms = static_cast<std::uint64_t>((now - started_at_).count);
    status.is_braking = brake_.is_holding();
    status.storage_fault = failing_settlements_.empty() ? "" : storage_fault_;
    for (const auto& [id, node] : fleet_.nodes()) {
        count_node(status, node);
    }
    status.jobs_unfinished = static_cast<std::uint32_t>(jobs_.unfinished_count());
    status.jobs_kept = static_cast<std::uint32_t>(jobs_.all().size());
    for (const auto& [model, numbers] : jobs_.waiting()) {
        for (const auto number : numbers) {
            status.items_queued += jobs_.by_number().at(number)->count(proto::ItemState::queued);
        }
    }
    status.items_in_flight = attempts_.size();
    status.items_done_total = counters_.items_done;
    status.items_failed_total = counters_.items_failed;
    status.items_cancelled_total = counters_.items_cancelled;
    status.steps_total = counters_.steps;
    status.assigns_total = last_attempt_;
    status.retries_total = counters_.retries;
    status.taken_back_total = counters_.taken_back;
    status.speculated_total = counters_.speculated;
    status.stale_results_total = counters_.stale_results;
    status.corrupt_results_total = counters_.corrupt_results;
    status.misdirected_total = counters_.misdirected;
    status.nodes_lost_total = counters_.nodes_lost;
    status.bytes_stored = jobs_.artifact_bytes();
    status.dispatch = dispatch_times_.report();
    status.dispatch_sum_us = static_cast<std::uint64_t>(dispatch_times_.sum().count) * us_per_ms;
    for (auto it = recent_faults_.rbegin(); it != recent_faults_.rend() && status.faults.size() < max_faults; ++it) {
        status.faults.push_back({static_cast<std::uint64_t>((now - it->at).count), it->text});
    }
    return status;
}

void Core::on(const proto::GetStatus& message, const From& from)
{
    send(from.packet.peer, status(message.max_faults, now_), from.packet.correlation);
}

} // namespace sdfleet::coordinator
