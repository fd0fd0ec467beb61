// SPDX-License-Identifier: Apache-2.0
// Internal to net/: how many raw bytes wait in a router for each of its peers.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>

namespace sdfleet::net {

/// A high-water mark counts messages, and a message may hold 64 MiB: a peer that asks and does not read would make the
/// router hold a thousand of them. So what a peer has not been sent yet is counted in bytes as well.
class BlobBudget {
public:
    using Counter = std::shared_ptr<std::atomic<std::size_t>>; ///< bytes that wait; falls on ZeroMQ's thread

    explicit BlobBudget(std::size_t bytes_per_peer) : bytes_per_peer_(bytes_per_peer) {}

    /// The peer's counter, or none when it has too much waiting. A peer that has nothing waiting is never refused.
    Counter ask(const std::string& peer, std::size_t bytes)
    {
        forget_idle_peers();
        auto& counter = waiting_[peer];
        if (!counter) {
            counter = std::make_shared<std::atomic<std::size_t>>(0);
        }
        const auto waits = counter->load();
        return waits > 0 && waits + bytes > bytes_per_peer_ ? nullptr : counter;
    }

private:
    /// When the table has doubled, so that asking stays cheap and the table as large as the number of busy peers.
    void forget_idle_peers()
    {
        if (waiting_.size() >= next_clearing_) {
            std::erase_if(waiting_, [](const auto& entry) { return entry.second->load() == 0; });
            next_clearing_ = std::max(first_clearing, 2 * waiting_.size());
        }
    }

    static constexpr std::size_t first_clearing = 64;

    std::size_t bytes_per_peer_;
    std::size_t next_clearing_ = first_clearing;
    std::unordered_map<std::string, Counter> waiting_;
};

} // namespace sdfleet::net
