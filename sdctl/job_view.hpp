// SPDX-License-Identifier: Apache-2.0
// Jobs as sdctl shows them. The structs are not those of the wire, so that either may change without the other.
#pragma once

#include "proto/messages.hpp"
#include "sdctl/output.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace sdfleet::sdctl {

struct JobView {
    std::string job;
    std::string kind;
    std::string model;
    std::string state;
    std::uint32_t total = 0;
    std::uint32_t queued = 0;
    std::uint32_t running = 0;
    std::uint32_t done = 0;
    std::uint32_t failed = 0;
    std::uint32_t cancelled = 0;
    std::string created; ///< "2031-01-31T12:00:00Z"
    std::string waiting_for;
};

struct ItemView {
    std::uint32_t index = 0;
    std::string prompt; ///< empty where only a change is told
    std::uint64_t seed = 0;
    std::string state;
    std::uint32_t step = 0;
    std::uint32_t steps = 0;
    std::uint32_t attempts = 0;
    std::string actor; ///< "node-a/0"; empty before the first try
    std::string sha256;
    std::uint64_t elapsed_ms = 0;
    std::string error;
};

JobView view_of(const proto::JobSummary& job);
ItemView view_of(const proto::ItemReport& report);
ItemView view_of(const proto::ItemReport& report, const proto::ItemSpec& spec);

Json to_json(const JobView& job);
Json to_json(const ItemView& item);

/// Text tables.
std::string jobs_text(const std::vector<JobView>& jobs);
std::string items_text(const std::vector<ItemView>& items);

/// "job k3v9: running, 3 of 8 done"
std::string job_line(const JobView& job);

} // namespace sdfleet::sdctl
