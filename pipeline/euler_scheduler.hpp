// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/noise_schedule.hpp"
#include "pipeline/scheduler.hpp"

#include <optional>

namespace sdfleet::pipeline {

enum class SigmaSpacing { from_timesteps, log_linear, karras, exponential, beta };

struct EulerConfig {
    NoiseSchedule schedule;
    SigmaSpacing sigma_spacing = SigmaSpacing::from_timesteps;
    bool log_linear_base = false; ///< what karras, exponential and beta take their end points from
    std::optional<double> sigma_min;
    std::optional<double> sigma_max;
    bool final_sigma_is_zero = true;
    bool continuous_timesteps = false; ///< timestep = log(sigma) / 4; with v-prediction only

    static base::Result<EulerConfig> read(ConfigReader& reader);
};

/// Euler's method on the probability-flow ODE in terms of sigma = sqrt((1 - alpha) / alpha):
/// https://arxiv.org/abs/2206.00364, algorithm 2 without churn.
class EulerScheduler final : public Scheduler {
public:
    static base::Result<std::unique_ptr<Scheduler>> make(const EulerConfig& config, int steps);

    double init_noise_sigma() const override;
    at::Tensor scale_model_input(const at::Tensor& sample, std::size_t index) const override;
    at::Tensor step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                    NoiseSource& noise) override;
    at::Tensor add_noise(const at::Tensor& original, const at::Tensor& noise, std::size_t index) const override;

    /// One more than the timesteps: the last is where sampling ends.
    const std::vector<float>& sigmas() const { return sigmas_; }

private:
    EulerScheduler(const EulerConfig& config, int steps);

    PredictionType prediction_;
    TimestepSpacing spacing_;
    std::vector<float> sigmas_;
};

} // namespace sdfleet::pipeline
