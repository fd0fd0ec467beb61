// SPDX-License-Identifier: Apache-2.0
#include "pipeline/device_timer.hpp"

#include <c10/core/impl/VirtualGuardImpl.h>

namespace sdfleet::pipeline {

namespace {

c10::Event recorded_now(at::Device device)
{
    c10::Event event(device.type(), c10::EventFlag::BACKEND_DEFAULT);
    event.record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
    return event;
}

} // namespace

DeviceTimer::DeviceTimer(at::Device device) : device_(device)
{
    if (!device_.is_cpu()) {
        from_ = recorded_now(device_);
    }
}

void DeviceTimer::stop()
{
    end_ = Clock::now();
    if (!device_.is_cpu()) {
        to_ = recorded_now(device_);
    }
}

double DeviceTimer::ms()
{
    if (device_.is_cpu()) {
        return std::chrono::duration<double, std::milli>(end_ - begin_).count();
    }
    to_->synchronize();
    return from_->elapsedTime(*to_);
}

} // namespace sdfleet::pipeline
