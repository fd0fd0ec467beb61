// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <utility>

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace sdfleet::pipeline {

/// Keeps this thread at most one call ahead of the GPU: close enough that a picture that joins or leaves need not wait for
/// a queue of calls, far enough that the GPU always has its next one.
class Pace {
public:
    /// `options`: the model's device; on the CPU there is nothing to wait for.
    explicit Pace(const at::TensorOptions& options) : device_(options.device()) {}

    /// Once a call is in the stream: waits for the call before it.
    void after_call()
    {
        if (device_.is_cpu()) {
            return;
        }
        c10::Event event(device_.type());
        event.record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
        if (auto before = std::exchange(before_, std::move(event))) {
            before->synchronize();
        }
    }

private:
    at::Device device_;
    std::optional<c10::Event> before_;
};

} // namespace sdfleet::pipeline
