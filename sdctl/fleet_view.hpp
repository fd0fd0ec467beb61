// SPDX-License-Identifier: Apache-2.0
// The whole fleet in numbers, as `sdctl top` shows it. Pure.
#pragma once

#include "proto/messages.hpp"
#include "sdctl/output.hpp"

#include <optional>
#include <string>
#include <vector>

namespace sdfleet::sdctl {

/// Rates need two looks at the fleet.
struct FleetRates {
    double items_per_second = 0;
    double steps_per_second = 0;
};

/// Nothing when the coordinator restarted in between, or no time passed.
std::optional<FleetRates> rates_between(const proto::Status& before, const proto::Status& after);

/// The value that this share of the counted ones does not exceed, to the bucket; nothing when none were counted. An
/// unbounded last bucket answers with the bound before it.
std::optional<double> quantile_ms(const std::vector<proto::HistogramBucket>& buckets, double share);

Json to_json(const proto::Status& status, const std::optional<FleetRates>& rates);

std::vector<std::string> fleet_lines(const proto::Status& status, const std::optional<FleetRates>& rates);

} // namespace sdfleet::sdctl
