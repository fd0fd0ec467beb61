// SPDX-License-Identifier: Apache-2.0
#include "sdctl/fleet_view.hpp"

#include "tests/catch.hpp"

using namespace sdfleet;
using namespace sdfleet::sdctl;

TEST_CASE("rates are what was done between two looks, by the coordinator's clock")
{
    proto::Status before;
    before.epoch = 3;
    before.uptime_ms = 10'000;
    before.items_done_total = 5;
    before.steps_total = 100;
    auto after = before;
    after.uptime_ms = 12'000;
    after.items_done_total = 9;
    after.steps_total = 180;

    REQUIRE(rates_between(before, after)->items_per_second == Approx(2));
    REQUIRE(rates_between(before, after)->steps_per_second == Approx(40));

    after.epoch = 4;
    REQUIRE_FALSE(rates_between(before, after));
    REQUIRE_FALSE(rates_between(before, before));
}

TEST_CASE("a quantile is the bound of the bucket that holds it")
{
    const std::vector<proto::HistogramBucket> buckets{{1'000, 50}, {2'000, 49}, {UINT64_MAX, 1}};

    REQUIRE(*quantile_ms(buckets, 0.5) == Approx(1));
    REQUIRE(*quantile_ms(buckets, 0.99) == Approx(2));
    REQUIRE(*quantile_ms(buckets, 1.0) == Approx(2));
    REQUIRE_FALSE(quantile_ms({{1'000, 0}}, 0.5));
}

TEST_CASE("alarms and faults are shown, and a fleet at peace shows none")
{
    proto::Status status;
    const auto calm = fleet_lines(status, std::nullopt);
    status.is_braking = true;
    status.faults.push_back({65'000, "node b is lost"});

    const auto lines = fleet_lines(status, FleetRates{1.5, 30});

    REQUIRE(lines.size() == calm.size() + 2);
    REQUIRE(lines.back() == "1:05 ago  node b is lost");
    REQUIRE(to_json(status, std::nullopt)["items_per_second"].is_null());
    REQUIRE(to_json(status, FleetRates{1.5, 30})["items_per_second"] == 1.5);
}
