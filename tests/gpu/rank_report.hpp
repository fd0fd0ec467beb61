// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/error.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace sdfleet::gpu_test {

using Clock = std::chrono::steady_clock;

inline double milliseconds_since(Clock::time_point began)
{
    return std::chrono::duration<double, std::milli>(Clock::now() - began).count();
}

/// What a rank has to say, as rank_checks.hpp describes it. For a rank's checks to derive from.
class RankReport {
protected:
    void figure(const char* name, double value) { report_["figures"][name] = value; }

    void check(const char* name, bool ok, const std::string& detail = "")
    {
        report_["checks"].push_back({{"name", name}, {"ok", ok}, {"detail", ok ? "" : detail}});
    }

    /// The middle of `rounds` durations, after one that is not counted.
    bool time(const char* name, int rounds, const std::function<collective::Result<void>()>& operation,
              std::string& why)
    {
        std::vector<double> durations;
        for (int round = 0; round <= rounds; ++round) {
            const auto began = Clock::now();
            if (auto done = operation(); !done) {
                why = done.error().message;
                return false;
            }
            durations.push_back(milliseconds_since(began));
        }
        const auto middle = durations.begin() + 1 + rounds / 2;
        std::nth_element(durations.begin() + 1, middle, durations.end());
        figure(name, *middle);
        return true;
    }

    static std::string words(const collective::Result<void>& result)
    {
        return result ? "wrong values" : result.error().message;
    }

    nlohmann::json report_ = {
        {"formed", false}, {"checks", nlohmann::json::array()}, {"figures", nlohmann::json::object()}};
};

} // namespace sdfleet::gpu_test
