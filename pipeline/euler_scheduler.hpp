// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/sigma_schedule.hpp"
#include "pipeline/sigma_scheduler.hpp"

namespace sdfleet::pipeline {

struct EulerConfig {
    NoiseSchedule schedule;
    SigmaOptions sigmas;
    bool log_linear = false;           ///< sigmas evenly spaced in their logarithm instead of interpolated
    bool continuous_timesteps = false; ///< timestep = log(sigma) / 4; with v-prediction only

    static base::Result<EulerConfig> read(ConfigReader& reader);
};

/// Euler's method on the probability-flow ODE in terms of sigma: https://arxiv.org/abs/2206.00364, algorithm 2 without
/// churn.
class EulerScheduler final : public SigmaScheduler {
public:
    static base::Result<std::unique_ptr<Scheduler>> make(const EulerConfig& config, int steps);

    at::Tensor step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                    NoiseSource& noise) override;

private:
    EulerScheduler(const EulerConfig& config, int steps);
};

} // namespace sdfleet::pipeline
