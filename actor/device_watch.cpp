// SPDX-License-Identifier: Apache-2.0
#include "actor/device_watch.hpp"

#include "pipeline/lost_device.hpp"

namespace sdfleet::actor {

Failure DeviceWatch::note(Failure failure)
{
    if (failure.reason == proto::FailureReason::internal && pipeline::is_lost_device(failure.message)) {
        const std::scoped_lock lock(mutex_);
        if (!fault_) {
            fault_ = failure.message;
        }
    }
    return failure;
}

} // namespace sdfleet::actor
