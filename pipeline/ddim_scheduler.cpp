// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ddim_scheduler.hpp"

#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/quantile.h>

namespace sdfleet::pipeline {

base::Result<DdimConfig> DdimConfig::read(ConfigReader& reader)
{
    DdimConfig config;
    config.schedule =
        NoiseSchedule::read(reader, TimestepSpacing::leading, true, reader.boolean("rescale_betas_zero_snr", false));
    config.set_alpha_to_one = reader.boolean("set_alpha_to_one", true);
    config.clip_sample = reader.boolean("clip_sample", true);
    config.clip_sample_range = reader.number("clip_sample_range", 1);
    config.thresholding = reader.boolean("thresholding", false);
    config.dynamic_thresholding_ratio = reader.number("dynamic_thresholding_ratio", 0.995);
    config.sample_max_value = reader.number("sample_max_value", 1);
    if (!(config.dynamic_thresholding_ratio >= 0 && config.dynamic_thresholding_ratio <= 1)) {
        reader.problem("'dynamic_thresholding_ratio' does not lie between 0 and 1");
    }
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

at::Tensor DdimScheduler::limit(const at::Tensor& original) const
{
    if (config_.thresholding) {
        const at::Tensor flat = original.to(at::kFloat).flatten(1);
        const at::Tensor edge = at::quantile(flat.abs(), config_.dynamic_thresholding_ratio, 1)
                                    .clamp(1, config_.sample_max_value)
                                    .unsqueeze(1);
        return (at::clamp(flat, -edge, edge) / edge).view(original.sizes()).to(original.scalar_type());
    }
    return config_.clip_sample ? original.clamp(-config_.clip_sample_range, config_.clip_sample_range) : original;
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
    const std::vector<float>& alphas = config_.schedule.alphas_cumprod;
    const float alpha = alphas.at(static_cast<std::size_t>(timestep));
    const float alpha_previous = previous >= 0              ? alphas.at(static_cast<std::size_t>(previous))
                                 : config_.set_alpha_to_one ? 1.0F
                                                            : alphas.front();
    const float signal = std::sqrt(alpha);
    const float noise = std::sqrt(1.0F - alpha);

    // x_0 and the noise, out of what the model predicts (formula 12)
    at::Tensor original;
    at::Tensor epsilon;
    switch (config_.schedule.prediction_type) {
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
    return std::sqrt(alpha_previous) * limit(original) + std::sqrt(1.0F - alpha_previous) * epsilon;
}

} // namespace sdfleet::pipeline
