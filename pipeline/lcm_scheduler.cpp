// SPDX-License-Identifier: Apache-2.0
#include "pipeline/lcm_scheduler.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/scalar_tensor.h>

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
    const NoiseSchedule& schedule = config_.schedule;
    const at::Tensor alpha = schedule.alpha(static_cast<std::int64_t>(timesteps_.at(index)));
    const at::Tensor root_alpha = alpha.sqrt();
    const at::Tensor root_beta = (1 - alpha).sqrt();
    at::Tensor original = prediction;
    if (schedule.prediction_type == PredictionType::epsilon) {
        original = (sample - root_beta * prediction) / root_alpha;
    } else if (schedule.prediction_type == PredictionType::v_prediction) {
        original = root_alpha * sample - root_beta * prediction;
    }
    // The boundary condition: at timestep 0 the sample is the picture, whatever the model says.
    constexpr double data_variance = 0.25;
    const at::Tensor scaled = at::scalar_tensor(timesteps_[index]) * config_.timestep_scaling;
    const at::Tensor skip = data_variance / (scaled * scaled + data_variance);
    const at::Tensor out = scaled / (scaled * scaled + data_variance).sqrt();
    at::Tensor denoised = out * config_.limits.apply(original) + skip * sample;
    if (index + 1 == timesteps_.size()) {
        return denoised;
    }
    const at::Tensor alpha_next = schedule.alpha(static_cast<std::int64_t>(timesteps_[index + 1]));
    return alpha_next.sqrt() * denoised + (1 - alpha_next).sqrt() * noise.draw_like(denoised);
}

} // namespace sdfleet::pipeline
