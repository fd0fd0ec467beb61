// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/milliseconds.hpp"
#include "proto/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace sdfleet::coordinator {

/// Who this coordinator is. Cluster and epoch come from the data directory.
struct Identity {
    proto::ClusterId cluster;
    std::uint64_t epoch = 1; ///< grows with each start
    std::string software;
};

struct Options {
    Milliseconds heartbeat_interval{500};
    Milliseconds lease{5'000};                ///< a node silent for this long is lost
    Milliseconds brake_timeout{60'000};       ///< how long mass silence is put up with before nodes are given up
    Milliseconds accept_timeout{10'000};      ///< from Assign to Accepted
    Milliseconds progress_timeout{300'000};   ///< from one sign of progress of an attempt to the next
    Milliseconds unservable_timeout{600'000}; ///< items that no live actor can serve fail after this long
    Milliseconds missing_timeout{3'000}; ///< an attempt absent from its node's heartbeats for this long is requeued
    Milliseconds group_abort_timeout{15'000}; ///< members of an aborted group answer for their items within this
    Milliseconds watch_pause{50};             ///< between two answers that only tell progress
    Milliseconds storage_retry{1'000};        ///< between two tries to write a result
    Milliseconds actor_pause{1'000};          ///< an actor that refused or dropped work gets none for this long
    Milliseconds pin_grace{10'000};           ///< after a restart pinned items wait this long for their actor
    Milliseconds model_stay{30'000}; ///< an actor may serve jobs of its loaded model this far ahead of their turn
    Milliseconds speculation_interval{250};       ///< between two looks for items that hold up the end of a job
    Milliseconds peer_idle{600'000};              ///< a client silent for this long must say hello again
    std::size_t small_artifact_bytes = 32 * 1024; ///< up to this size an artifact is stored with its outcome
    std::uint32_t tries_per_item = 5;
    std::uint32_t deaths_per_item = 3; ///< actors that one item may kill before it is called poison

    Milliseconds suspect_after() const { return {lease.count * 2 / 5}; }
};

/// Bounds of every table. At a bound the answer is Refused(full) or RequestFailed(overloaded), never more memory.
struct Limits {
    std::size_t nodes = 4'096;
    std::size_t actors_per_node = 256;
    std::size_t models_per_node = 1'024;
    std::size_t staged_per_actor = 1;      ///< items beyond those that the actor draws at once
    std::size_t group_items_per_actor = 8; ///< in one run of a group: what rank 0 can hold as raw images
    std::size_t peers = 16'384;
    std::size_t jobs = 200'000;
    std::size_t finished_jobs = 10'000;        ///< of these; the oldest leave the books
    std::size_t finished_items = 2'000'000;    ///< of the finished jobs together; the newest one stays whatever it has
    std::uint64_t artifact_bytes = UINT64_MAX; ///< beyond this the oldest finished jobs leave the books too
    std::size_t forgets_per_step = 16;
    std::size_t items = 2'000'000; ///< of all jobs together
    std::size_t recent_faults = 64;
    std::size_t watchers = 8'192;
    std::size_t watchers_per_client = 64;
    std::size_t pending_requests_per_client = 64;
    std::size_t pending_requests = 8'192;
    std::uint32_t items_per_answer = 1'024;
    std::uint32_t jobs_per_answer = 1'000;
    std::uint32_t watch_wait_ms = 60'000;
    std::uint32_t retry_after_ms = 500; ///< what an overloaded answer tells
};

} // namespace sdfleet::coordinator
