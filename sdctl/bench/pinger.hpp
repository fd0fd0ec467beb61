// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sdctl/bench/bench_fleet.hpp"
#include "sdctl/bench/quantiles.hpp"

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace sdfleet::sdctl::bench {

/// A second client that asks something small every 20 ms: how long it waits is how long the coordinator's loop was busy
/// with something else.
class Pinger {
public:
    static base::Result<std::unique_ptr<Pinger>> start(const BenchFleet& fleet);

    Pinger(const Pinger&) = delete;
    Pinger& operator=(const Pinger&) = delete;
    ~Pinger();

    /// The waits since the last call, the one under way included.
    base::Result<Quantiles> take();

private:
    explicit Pinger(client::Client client);
    void run();

    client::Client client_; ///< of the thread
    std::mutex mutex_;      ///< of what follows
    std::vector<Clock::duration> samples_;
    std::optional<base::Error> fault_;
    std::atomic<std::uint64_t> rounds_ = 0;
    std::atomic<bool> is_stopping_ = false;
    std::thread thread_; ///< last: it uses all of the above
};

} // namespace sdfleet::sdctl::bench
