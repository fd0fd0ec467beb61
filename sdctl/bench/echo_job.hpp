// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sdctl/bench/bench_fleet.hpp"
#include "sdctl/bench/quantiles.hpp"

#include <cstdint>

namespace sdfleet::sdctl::bench {

/// A job of echo items, no two of them with the same result.
struct EchoJob {
    std::uint32_t items = 1;
    std::uint32_t delay_ms = 0;
    std::uint32_t result_bytes = 0;
    bool on_one_actor = false; ///< all items by the first of the fleet's actors, however many there are

    proto::Submit to_submit() const;
};

/// From the first completion that was seen to the last.
struct JobTiming {
    double seconds = 0;
    double items_per_s = 0;
    double first_done_ms = 0; ///< after the submit was acknowledged
};

/// Submits the job and waits for its end. Fails when an item does.
base::Result<JobTiming> run(client::Client& client, const EchoJob& job);

/// A small job, so that connections, caches and files are what they are in the long run.
base::Result<void> warm_up(client::Client& client, std::uint32_t actors);

/// While it lives, all actors of the fleet are busy with items that do not end: what is submitted stays queued.
class BusyFleet {
public:
    static base::Result<BusyFleet> begin(client::Client& client, std::uint32_t actors);

    /// Actors are free again.
    base::Result<void> end();

private:
    BusyFleet(client::Client& client, proto::JobId job_id) : client_(&client), job_id_(std::move(job_id)) {}

    client::Client* client_;
    proto::JobId job_id_;
};

} // namespace sdfleet::sdctl::bench
