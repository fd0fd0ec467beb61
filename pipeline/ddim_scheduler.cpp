// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ddim_scheduler.hpp"

#include <ATen/TensorOperators.h>

namespace sdfleet::pipeline {

base::Result<DdimConfig> DdimConfig::read(ConfigReader& reader)
{
    DdimConfig config;
    config.schedule = NoiseSchedule::read(reader, {.spacing = TimestepSpacing::leading, .zero_snr = ZeroSnr::zero});
    config.set_alpha_to_one = reader.boolean("set_alpha_to_one", true);
    config.limits = SampleLimits::read(reader, true);
    return reader.finish_tolerantly().map([&] { return config; });
}

base::Result<std::unique_ptr<Scheduler>> DdimScheduler::make(const DdimConfig& config, int steps)
{
    auto timesteps = config.schedule.spaced_timesteps(steps, true);
    if (auto fits = config.schedule.check_steps(steps, timesteps); !fits) {
        return tl::unexpected(fits.error());
    }
    return std::unique_ptr<Scheduler>(new DdimScheduler(config, steps, std::move(timesteps)));
}

DdimScheduler::DdimScheduler(DdimConfig config, int steps, std::vector<double> timesteps)
    : config_(std::move(config)), stride_(config_.schedule.num_train_timesteps / steps)
{
    timesteps_ = std::move(timesteps);
}

at::Tensor DdimScheduler::add_noise(const at::Tensor& original, const at::Tensor& noise, std::size_t index) const
{
    return config_.schedule.add_noise(original, noise, timesteps_.at(index));
}

at::Tensor DdimScheduler::step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                               NoiseSource& /*noise*/)
{
    const auto timestep = static_cast<std::int64_t>(timesteps_.at(index));
    // Whatever the spacing, the previous timestep is a fixed stride away: what the published pictures were made with.
    const std::int64_t previous = timestep - stride_;
    const NoiseSchedule& schedule = config_.schedule;
    const at::Tensor alpha = schedule.alpha(timestep);
    const at::Tensor alpha_previous =
        schedule.alpha(previous, config_.set_alpha_to_one ? 1.0F : schedule.alphas_cumprod.front());
    const at::Tensor signal = alpha.sqrt();
    const at::Tensor noise = (1 - alpha).sqrt();

    // x_0 and the noise, out of what the model predicts (formula 12)
    at::Tensor original;
    at::Tensor epsilon;
    switch (schedule.prediction_type) {
    case PredictionType::epsilon:
        original = (sample - noise * prediction) / signal;
        epsilon = prediction;
        break;
    case PredictionType::sample:
        original = prediction;
        epsilon = (sample - signal * original) / noise;
        break;
    case PredictionType::v_prediction:
        original = signal * sample - noise * prediction;
        epsilon = signal * prediction + noise * sample;
        break;
    }
    return alpha_previous.sqrt() * config_.limits.apply(original) + (1 - alpha_previous).sqrt() * epsilon;
}

} // namespace sdfleet::pipeline
