// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/noise_schedule.hpp"
#include "pipeline/sample_limits.hpp"
#include "pipeline/scheduler.hpp"

namespace sdfleet::pipeline {

struct LcmConfig {
    NoiseSchedule schedule;
    SampleLimits limits;
    int original_inference_steps = 50; ///< the steps that the model was distilled from
    double timestep_scaling = 10;

    static base::Result<LcmConfig> read(ConfigReader& reader);
};

/// Latent consistency models, https://arxiv.org/abs/2310.04378: each step predicts the finished picture, and all but
/// the last add fresh noise to it for the next one.
class LcmScheduler final : public Scheduler {
public:
    static base::Result<std::unique_ptr<Scheduler>> make(const LcmConfig& config, int steps);

    at::Tensor step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                    NoiseSource& noise) override;
    at::Tensor add_noise(const at::Tensor& original, const at::Tensor& noise, std::size_t index) const override;
    bool is_linear() const override { return !config_.limits.acts(); }

private:
    LcmScheduler(LcmConfig config, int steps);

    LcmConfig config_;
};

} // namespace sdfleet::pipeline
