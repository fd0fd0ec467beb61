// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <utility>

namespace sdfleet::coordinator {

/// Hands work from the loop to one worker thread. The loop never waits: a full queue refuses.
template <class T>
class BoundedQueue {
public:
    explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}

    /// False when the queue is full or closed; the value is then left as it was.
    bool push(T& value)
    {
        {
            const std::lock_guard lock(mutex_);
            if (is_closed_ || queue_.size() >= capacity_) {
                return false;
            }
            queue_.push_back(std::move(value));
        }
        not_empty_.notify_one();
        return true;
    }

    /// Waits for work and takes all of it; an empty result means closed and drained.
    std::deque<T> take_all()
    {
        std::unique_lock lock(mutex_);
        not_empty_.wait(lock, [this] { return is_closed_ || !queue_.empty(); });
        return std::exchange(queue_, {});
    }

    /// Nothing waits, and more may come.
    bool is_idle()
    {
        const std::lock_guard lock(mutex_);
        return !is_closed_ && queue_.empty();
    }

    /// What is queued is still worked off.
    void close()
    {
        {
            const std::lock_guard lock(mutex_);
            is_closed_ = true;
        }
        not_empty_.notify_all();
    }

private:
    std::size_t capacity_;
    std::mutex mutex_;
    std::condition_variable not_empty_;
    std::deque<T> queue_;
    bool is_closed_ = false;
};

} // namespace sdfleet::coordinator
