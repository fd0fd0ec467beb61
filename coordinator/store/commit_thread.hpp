// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/effects.hpp"
#include "coordinator/store/bounded_queue.hpp"
#include "coordinator/store/database.hpp"

#include <cstddef>
#include <functional>
#include <thread>

namespace sdfleet::coordinator {

/// Writes to the database on a thread of its own. Whatever has gathered while one commit ran goes into the next one
/// together, so that many writers share one fsync.
class CommitThread {
public:
    /// `on_event` is called on the thread, with StoreCommitted or StoreFailed for each operation, in order.
    CommitThread(Database database, std::function<void(Event)> on_event);

    /// Commits what is queued, then ends.
    ~CommitThread();

    /// Does not wait. When the queue is full the operation fails with StoreFailed.
    void push(Persist persist);

    void stop();

    static constexpr std::size_t capacity = 65'536;

private:
    void run();

    Database database_;
    std::function<void(Event)> on_event_;
    BoundedQueue<Persist> queue_{capacity};
    std::thread thread_;
};

} // namespace sdfleet::coordinator
