// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "client/client.hpp"
#include "sdctl/bench/quantiles.hpp"

#include <cstdint>
#include <vector>

namespace sdfleet::sdctl::bench {

/// Jobs handed in over several connections, on each of which several submits are under way at a time.
struct SubmitLoad {
    std::uint32_t jobs = 1;
    std::uint32_t items_per_job = 1;
    std::uint32_t connections = 4;
    std::uint32_t window = 16; ///< submits under way on a connection
};

struct SubmitOutcome {
    double seconds = 0;     ///< from the first submit to the last acknowledgement
    Quantiles acknowledged; ///< how long each submit took
    std::vector<proto::JobId> job_ids;
};

/// Returns when every job is on the coordinator's disk. Fails at the first that is turned down.
base::Result<SubmitOutcome> hand_in(const client::ClientOptions& options, const SubmitLoad& load);

} // namespace sdfleet::sdctl::bench
