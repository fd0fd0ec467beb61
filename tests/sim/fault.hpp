// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/sim/random.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace sdfleet::sim {

enum class Fault : std::uint8_t {
    loss,
    duplicate,
    delay,
    reorder,
    corruption,
    cut,
    one_way_cut,
    stall, ///< a cut that delays, as TCP does when the network comes back in time
    mass_cut,
    reconnect,
    coordinator_crash,
    coordinator_pause,
    agent_crash,
    agent_pause,
    clone, ///< a second agent with the same node id
    actor_death,
    actor_stop,  ///< silent, like after SIGSTOP
    actor_stuck, ///< its heartbeats go on, its work does not
    actor_slow,
    store_failure,
    disk_full,
    slow_disk,
    stranger, ///< a peer that never said hello
    rank_death,
    count
};
constexpr auto fault_count = static_cast<std::size_t>(Fault::count);
std::string_view name_of(Fault fault);

/// Which faults may happen, and how many. A run with fewer of them is otherwise the same run, as far as it can be.
struct FaultLimits {
    std::uint64_t faults = std::numeric_limits<std::uint64_t>::max();
    std::array<bool, fault_count> is_dropped{};
};

/// Decides when a fault happens, and counts.
class FaultPlan {
public:
    FaultPlan(Random random, FaultLimits limits) : random_(random), limits_(limits)
    {
        for (auto& rate : rates_) {
            rate = random_.chance(500) ? static_cast<std::uint32_t>(random_.between(1, 10)) : 0;
        }
    }

    /// Whether it happens now. `per_million` is the chance in the mildest of the runs that know this fault.
    bool strikes(Fault fault, std::uint64_t per_million);

    void end() { is_over_ = true; }
    bool is_over() const { return is_over_; }
    std::uint64_t total() const { return total_; }
    const std::array<std::uint64_t, fault_count>& counts() const { return counts_; }

private:
    Random random_;
    FaultLimits limits_;
    bool is_over_ = false;
    std::uint64_t total_ = 0;
    std::array<std::uint32_t, fault_count> rates_{};
    std::array<std::uint64_t, fault_count> counts_{};
};

} // namespace sdfleet::sim
