// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "client/client.hpp"

#include <utility>

namespace sdfleet::client {

/// True when nothing about the job will change any more.
constexpr bool is_over(proto::JobState state)
{
    return state == proto::JobState::done || state == proto::JobState::failed || state == proto::JobState::cancelled;
}

/// Follows one job through its changes. An item may be told again, in its newest state, after the coordinator restarted.
/// Holds a reference to the client.
class JobWatch {
public:
    JobWatch(Client& client, proto::JobId job_id) : client_(client), job_id_(std::move(job_id)) {}

    /// The changes since the last call; waits up to `wait` for one. JobChanges::more says that more are there already.
    base::Result<proto::JobChanges> next(std::chrono::milliseconds wait)
    {
        if (epoch_ != client_.epoch()) {
            last_change_ = 0;
        }
        auto changes = client_.watch({job_id_, last_change_, max_items, static_cast<std::uint32_t>(wait.count())});
        if (changes) {
            last_change_ = changes->last_change;
            epoch_ = client_.epoch();
        }
        return changes;
    }

private:
    static constexpr std::uint32_t max_items = 256;

    Client& client_;
    proto::JobId job_id_;
    std::uint64_t last_change_ = 0;
    std::uint64_t epoch_ = 0;
};

} // namespace sdfleet::client
