// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/noise_schedule.hpp"
#include "pipeline/sample_limits.hpp"
#include "pipeline/scheduler.hpp"

namespace sdfleet::pipeline {

struct DdimConfig {
    NoiseSchedule schedule;
    bool set_alpha_to_one = true; ///< the alpha after the last step is 1, not that of timestep 0
    SampleLimits limits;

    static base::Result<DdimConfig> read(ConfigReader& reader);
};

/// DDIM, https://arxiv.org/abs/2010.02502, with eta 0: no noise is added on the way.
class DdimScheduler final : public Scheduler {
public:
    static base::Result<std::unique_ptr<Scheduler>> make(const DdimConfig& config, int steps);

    at::Tensor step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                    NoiseSource& noise) override;
    at::Tensor add_noise(const at::Tensor& original, const at::Tensor& noise, std::size_t index) const override;
    bool is_linear() const override { return !config_.limits.acts(); }

private:
    DdimScheduler(DdimConfig config, int steps, std::vector<double> timesteps);

    DdimConfig config_;
    std::int64_t stride_; ///< training timesteps per step
};

} // namespace sdfleet::pipeline
