// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "actor/work.hpp"

#include <mutex>
#include <optional>
#include <string>

namespace sdfleet::actor {

/// Remembers the first failure of which the device, and with it the process, does not recover. From any thread.
class DeviceWatch {
public:
    /// Returns the failure as it is.
    Failure note(Failure failure);

    /// In words; nothing while all is well.
    std::optional<std::string> fault() const
    {
        const std::scoped_lock lock(mutex_);
        return fault_;
    }

private:
    mutable std::mutex mutex_;
    std::optional<std::string> fault_;
};

} // namespace sdfleet::actor
