// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/core/rendezvous.hpp"
#include "collective/mesh.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>

namespace sdfleet::collective {

/// What a rendezvous says to a rank, on its way from the link's thread to the rank's: one answer, and later perhaps that
/// the epoch is over. Thread-safe.
class AnswerBox {
public:
    void put(Rendezvous::Answer answer)
    {
        const std::lock_guard lock(mutex_);
        if (const auto* abort = std::get_if<proto::GroupAbort>(&answer); abort != nullptr && tell_abort_) {
            tell_abort_(*abort);
        }
        if (!answer_) {
            answer_ = std::move(answer);
        } else if (const auto* late = std::get_if<proto::GroupAbort>(&answer)) {
            abort_ = *late;
        }
        arrived_.notify_all();
    }

    /// Nothing when the time is over.
    std::optional<Rendezvous::Answer> wait(Deadline deadline)
    {
        std::unique_lock lock(mutex_);
        arrived_.wait_until(lock, deadline.at, [&] { return answer_.has_value(); });
        return answer_;
    }

    /// Hears of an abort that has come already, too. None: nobody is told any more once this returns.
    void on_abort(std::function<void(const proto::GroupAbort&)> tell)
    {
        const std::lock_guard lock(mutex_);
        tell_abort_ = std::move(tell);
        if (tell_abort_ && abort_) {
            tell_abort_(*abort_);
        }
    }

private:
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::optional<Rendezvous::Answer> answer_;
    std::optional<proto::GroupAbort> abort_;
    std::function<void(const proto::GroupAbort&)> tell_abort_;
};

} // namespace sdfleet::collective
