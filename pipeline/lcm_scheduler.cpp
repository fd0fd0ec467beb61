// SPDX-License-Identifier: Apache-2.0
#include "pipeline/lcm_scheduler.hpp"

#include <cmath>

#include <ATen/TensorOperators.h>

namespace sdfleet::pipeline {

base::Result<LcmConfig> LcmConfig::read(ConfigReader& reader)
{
    LcmConfig config;
    config.schedule = NoiseSchedule::read(reader, {.spacing = TimestepSpacing::leading,
                                                   .zero_snr = ZeroSnr::zero,
                                                   .beta_start = 0.00085,
                                                   .beta_end = 0.012,
                                                   .beta_schedule = "scaled_linear"});
    config.limits = SampleLimits::read(reader, false);
    config.original_inference_steps =
        static_cast<int>(reader.integer("original_inference_steps", 50, 1, config.schedule.num_train_timesteps));
    config.timestep_scaling = reader.number("timestep_scaling", 10);
    return reader.finish_tolerantly().map([&] { return config; });
}

base::Result<std::unique_ptr<Scheduler>> LcmScheduler::make(const LcmConfig& config, int steps)
{
    if (steps > config.original_inference_steps) {
        return base::fail(base::ExitCode::usage, "this model's lcm scheduler makes at most " +
                                                     std::to_string(config.original_inference_steps) +
                                                     " steps (original_inference_steps); asked for " +
                                                     std::to_string(steps));
    }
    return std::unique_ptr<Scheduler>(new LcmScheduler(config, steps));
}

LcmScheduler::LcmScheduler(LcmConfig config, int steps) : config_(std::move(config))
{
    const int original_steps = config_.original_inference_steps;
    const std::int64_t stride = config_.schedule.num_train_timesteps / original_steps;
    const double skip = static_cast<double>(original_steps) / steps;
    for (int i = 0; i < steps; ++i) {
        const auto from_end = static_cast<std::int64_t>(i * skip);
        timesteps_.push_back(static_cast<double>((original_steps - from_end) * stride - 1));
    }
}

at::Tensor LcmScheduler::add_noise(const at::Tensor& original, const at::Tensor& noise, std::size_t index) const
{
    return config_.schedule.add_noise(original, noise, timesteps_.at(index));
}

at::Tensor LcmScheduler::step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                              NoiseSource& noise)
{
    const std::vector<float>& alphas = config_.schedule.alphas_cumprod;
    const float alpha = alphas.at(static_cast<std::size_t>(timesteps_.at(index)));
    const float root_alpha = std::sqrt(alpha);
    const float root_beta = std::sqrt(1.0F - alpha);
    at::Tensor original = prediction;
    if (config_.schedule.prediction_type == PredictionType::epsilon) {
        original = (sample - root_beta * prediction) / root_alpha;
    } else if (config_.schedule.prediction_type == PredictionType::v_prediction) {
        original = root_alpha * sample - root_beta * prediction;
    }
    // The boundary condition: at timestep 0 the sample is the picture, whatever the model says.
    constexpr float data_variance = 0.25F;
    const float scaled = static_cast<float>(timesteps_[index]) * static_cast<float>(config_.timestep_scaling);
    const float skip = data_variance / (scaled * scaled + data_variance);
    const float out = scaled / std::sqrt(scaled * scaled + data_variance);
    const at::Tensor denoised = out * config_.limits.apply(original) + skip * sample;
    if (index + 1 == timesteps_.size()) {
        return denoised;
    }
    const float alpha_next = alphas.at(static_cast<std::size_t>(timesteps_[index + 1]));
    return std::sqrt(alpha_next) * denoised + std::sqrt(1.0F - alpha_next) * noise.draw_like(denoised);
}

} // namespace sdfleet::pipeline
