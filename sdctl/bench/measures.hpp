// SPDX-License-Identifier: Apache-2.0
// What `sdctl bench` measures. Each is in the file of its name, and gives an object of numbers whose names hold their units.
#pragma once

#include "sdctl/bench/bench_fleet.hpp"
#include "sdctl/output.hpp"

#include <cstdint>

namespace sdfleet::sdctl::bench {

/// One echo actor: items a second of a job, and the round trip of jobs of one item, submit to done.
base::Result<Json> measure_dispatch(const BenchFleet& fleet, std::uint32_t items);

/// One job over all actors: items a second.
base::Result<Json> measure_throughput(const BenchFleet& fleet, std::uint32_t items);

/// Jobs of one item, each acknowledged when it is on disk, many under way: submits a second.
base::Result<Json> measure_submit(const BenchFleet& fleet, std::uint32_t jobs);

/// A long queue: how long it takes to fill, and how long a second client waits meanwhile, while the queue is listed, while
/// its items are drawn, and when it is cancelled.
base::Result<Json> measure_queue(const BenchFleet& fleet, std::uint32_t items);

/// Results of 3 MiB, as large as a picture: stored, and brought to this client.
base::Result<Json> measure_results(const BenchFleet& fleet, std::uint32_t results);

} // namespace sdfleet::sdctl::bench
