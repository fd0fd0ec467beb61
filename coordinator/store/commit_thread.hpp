// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/effects.hpp"
#include "coordinator/store/bounded_queue.hpp"
#include "coordinator/store/database.hpp"

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

namespace sdfleet::coordinator {

/// Writes to the database on a thread of its own. Whatever has gathered while one commit ran goes into the next one
/// together, so that many writers share one fsync. Between commits it gives back the space of what was deleted.
class CommitThread {
public:
    /// `on_event` is called on the thread, once for each operation: with ArtifactNotSaved when its artifact does not match
    /// its hash, else with StoreCommitted or StoreFailed.
    CommitThread(Database database, std::function<void(Event)> on_event);

    /// Commits what is queued, then ends.
    ~CommitThread();

    /// Does not wait. When the queue is full the operation fails with StoreFailed.
    void push(Persist persist);

    void stop();

    static constexpr std::size_t capacity = 65'536;
    static constexpr std::size_t operations_per_commit = 4'096;
    static constexpr std::size_t bytes_per_commit = 16 << 20; ///< of artifacts

private:
    /// Operations that share a commit, and their tickets.
    struct Group {
        std::vector<StoreOperation> operations;
        std::vector<Ticket> tickets;
    };

    void run();
    Group take_group(std::deque<Persist>& waiting);
    bool is_whole(const Persist& persist);
    void commit(const Group& group);
    void commit_one_by_one(const Group& group);

    Database database_;
    std::function<void(Event)> on_event_;
    BoundedQueue<Persist> queue_{capacity};
    std::thread thread_;
};

} // namespace sdfleet::coordinator
