// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "actor/batch.hpp"
#include "proto/packet.hpp"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace sdfleet::actor {

/// Encodes and hashes what was drawn, one item after the other, while the device is at the next ones. What goes wrong with
/// one is that item's failure.
class FinishingThread {
public:
    /// At most `bound` items wait. `tell` gets ItemDone with its artifact, or ItemFailed, on the thread that finishes.
    FinishingThread(std::size_t bound, std::function<void(proto::AttemptId, proto::Packet)> tell);

    /// Finishes what waits first.
    ~FinishingThread();

    /// The item must have been drawn. Waits while too many wait.
    void push(LeftItem item);

private:
    void run();

    const std::size_t bound_;
    const std::function<void(proto::AttemptId, proto::Packet)> tell_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<LeftItem> waiting_;
    bool is_stopping_ = false;
    std::thread thread_; ///< last: everything above is there when it starts
};

} // namespace sdfleet::actor
