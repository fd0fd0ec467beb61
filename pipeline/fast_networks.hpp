// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/fast_unet.hpp"
#include "pipeline/fused_operators.hpp"
#include "pipeline/recorded_work.hpp"
#include "pipeline/unet_step.hpp"

namespace sdfleet::pipeline {

/// What fast mode has besides a loaded model.
struct FastNetworks {
    FusedOperators ops;
    fast::UNet unet;
    fast::UNetSteps steps; ///< over `unet`
    Recorder recorder;     ///< empty on the CPU

    FastNetworks(const FusedOperators& operators, const UNet2DConditionModel& model, at::TensorOptions options,
                 Recorder record)
        : ops(operators), unet(model, operators), steps(unet, model.config().in_channels, options),
          recorder(std::move(record))
    {
    }
    FastNetworks(const FastNetworks&) = delete;
    FastNetworks& operator=(const FastNetworks&) = delete;
};

} // namespace sdfleet::pipeline
