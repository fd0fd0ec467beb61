// SPDX-License-Identifier: Apache-2.0
#include "actor/finishing_thread.hpp"

#include "actor/item_result.hpp"

#include <chrono>
#include <utility>

namespace sdfleet::actor {

namespace {

proto::Packet finish(const LeftItem& drawn)
{
    const auto& assign = drawn.item.assign;
    auto product = guarded([&] { return drawn.kind->finish(*drawn.outcome); });
    if (!product) {
        return failed(assign, std::move(product.error()));
    }
    const auto elapsed = BatchPolicy::Time::clock::now() - drawn.begun;
    return done(assign, std::move(*product), std::chrono::duration_cast<std::chrono::milliseconds>(elapsed));
}

} // namespace

FinishingThread::FinishingThread(std::size_t bound, std::function<void(proto::AttemptId, proto::Packet)> tell)
    : bound_(bound), tell_(std::move(tell)), thread_([this] { run(); })
{
}

FinishingThread::~FinishingThread()
{
    {
        const std::scoped_lock lock(mutex_);
        is_stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void FinishingThread::push(LeftItem item)
{
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return waiting_.size() < bound_; });
        waiting_.push_back(std::move(item));
    }
    changed_.notify_all();
}

void FinishingThread::run()
{
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return is_stopping_ || !waiting_.empty(); });
        if (waiting_.empty()) {
            return;
        }
        const auto drawn = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        changed_.notify_all();
        tell_(drawn.item.assign.attempt_id, finish(drawn));
        lock.lock();
    }
}

} // namespace sdfleet::actor
