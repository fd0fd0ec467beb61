// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>

namespace sdfleet::pipeline {

/// How long a stretch of work takes where it is done: by events in a GPU's stream, whose work this thread runs ahead of; by
/// the clock on the CPU.
class DeviceTimer {
public:
    /// Starts with what is given to the device's current stream from now on.
    explicit DeviceTimer(at::Device device);

    void stop(); ///< does not wait
    double ms(); ///< between start and stop; waits for the GPU to get there

private:
    using Clock = std::chrono::steady_clock;

    at::Device device_;
    Clock::time_point begin_ = Clock::now();
    Clock::time_point end_;
    std::optional<c10::Event> from_;
    std::optional<c10::Event> to_;
};

} // namespace sdfleet::pipeline
