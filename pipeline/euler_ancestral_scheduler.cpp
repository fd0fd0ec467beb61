// SPDX-License-Identifier: Apache-2.0
#include "pipeline/euler_ancestral_scheduler.hpp"

#include "pipeline/sigma_schedule.hpp"

#include <ATen/TensorOperators.h>

namespace sdfleet::pipeline {

base::Result<EulerAncestralConfig> EulerAncestralConfig::read(ConfigReader& reader)
{
    EulerAncestralConfig config;
    config.schedule = NoiseSchedule::read(
        reader, {.spacing = TimestepSpacing::linspace, .predicts_sample = false, .zero_snr = ZeroSnr::almost_zero});
    return reader.finish_tolerantly().map([&] { return config; });
}

base::Result<std::unique_ptr<Scheduler>> EulerAncestralScheduler::make(const EulerAncestralConfig& config, int steps)
{
    if (auto fits = config.schedule.check_steps(steps, {}); !fits) {
        return tl::unexpected(fits.error());
    }
    return std::unique_ptr<Scheduler>(new EulerAncestralScheduler(config.schedule, steps));
}

EulerAncestralScheduler::EulerAncestralScheduler(const NoiseSchedule& schedule, int steps) : SigmaScheduler(schedule)
{
    timesteps_ = schedule.spaced_timesteps(steps, false);
    const auto sigmas = interpolate_sigmas(sigmas_of(schedule.alphas_cumprod), timesteps_);
    sigmas_.assign(sigmas.begin(), sigmas.end());
    sigmas_.push_back(0.0F);
}

at::Tensor EulerAncestralScheduler::step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                                         NoiseSource& noise)
{
    const at::Tensor level = sigma(index);
    const at::Tensor variance = level.pow(2);
    const at::Tensor variance_to = sigma(index + 1).pow(2);
    const at::Tensor up = (variance_to * (variance - variance_to) / variance).sqrt(); // the fresh noise
    // Not below 0, where rounding puts it when a step goes down from far above.
    const at::Tensor down = (variance_to - up * up).clamp_min(0).sqrt();
    const at::Tensor from = sample.to(at::kFloat);
    const at::Tensor original = original_of(prediction, index, from);
    const at::Tensor to = from + (from - original) / level * (down - level);
    return (to + noise.draw_like(prediction) * up).to(prediction.scalar_type());
}

} // namespace sdfleet::pipeline
