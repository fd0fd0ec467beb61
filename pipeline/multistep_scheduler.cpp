// SPDX-License-Identifier: Apache-2.0
#include "pipeline/multistep_scheduler.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/scalar_tensor.h>

namespace sdfleet::pipeline {

namespace {

/// `sigma` is a tensor of any shape, the ratio of the two.
NoiseLevel split(const at::Tensor& sigma)
{
    NoiseLevel level;
    level.alpha = 1 / (sigma * sigma + 1).sqrt();
    level.sigma = sigma * level.alpha;
    return level;
}

} // namespace

MultistepConfig MultistepConfig::read(ConfigReader& reader)
{
    MultistepConfig config;
    config.schedule =
        NoiseSchedule::read(reader, {.spacing = TimestepSpacing::linspace, .zero_snr = ZeroSnr::almost_zero});
    config.sigmas = SigmaOptions::read(reader);
    config.limits = SampleLimits::read_thresholding(reader);
    config.solver_order = static_cast<int>(reader.integer("solver_order", 2, 1, 3));
    config.lower_order_final = reader.boolean("lower_order_final", true);
    reader.only("use_flow_sigmas");
    reader.only("use_dynamic_shifting");
    return config;
}

std::vector<double> MultistepConfig::spaced_timesteps(int steps, std::int64_t used) const
{
    std::vector<double> timesteps;
    if (schedule.spacing == TimestepSpacing::linspace) {
        for (const double point : evenly(0, static_cast<double>(used - 1), steps + 1)) {
            timesteps.push_back(std::nearbyint(point));
        }
        timesteps.erase(timesteps.begin());
        std::reverse(timesteps.begin(), timesteps.end());
    } else if (schedule.spacing == TimestepSpacing::leading) {
        const std::int64_t stride = used / (steps + 1);
        for (std::int64_t i = steps; i > 0; --i) {
            timesteps.push_back(static_cast<double>(i * stride + schedule.steps_offset));
        }
    } else {
        timesteps = schedule.trailing_timesteps(steps, used);
    }
    return timesteps;
}

MultistepScheduler::MultistepScheduler(MultistepConfig config, const std::vector<double>& timesteps,
                                       const std::vector<double>& sigmas)
    : config_(std::move(config)), sigmas_(sigmas.begin(), sigmas.end())
{
    std::transform(timesteps.begin(), timesteps.end(), std::back_inserter(timesteps_),
                   [](double t) { return std::trunc(t); });
}

NoiseLevel MultistepScheduler::level(std::size_t index) const
{
    NoiseLevel level = split(at::scalar_tensor(sigmas_.at(index), at::TensorOptions().dtype(at::kFloat)));
    level.lambda = level.alpha.log() - level.sigma.log();
    return level;
}

at::Tensor MultistepScheduler::add_noise(const at::Tensor& original, const at::Tensor& noise, std::size_t index) const
{
    const NoiseLevel at_index = split(at::scalar_tensor(sigmas_.at(index), original.options()));
    return at_index.alpha * original + at_index.sigma * noise;
}

at::Tensor MultistepScheduler::original_of(const at::Tensor& prediction, std::size_t index,
                                           const at::Tensor& sample) const
{
    const NoiseLevel from = level(index);
    at::Tensor original = prediction;
    if (config_.schedule.prediction_type == PredictionType::epsilon) {
        original = (sample - from.sigma * prediction) / from.alpha;
    } else if (config_.schedule.prediction_type == PredictionType::v_prediction) {
        original = from.alpha * sample - from.sigma * prediction;
    }
    return config_.limits.apply(original);
}

at::Tensor MultistepScheduler::noise_of(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample) const
{
    const NoiseLevel from = level(index);
    if (config_.schedule.prediction_type == PredictionType::sample) {
        return (sample - from.alpha * prediction) / from.sigma;
    }
    return config_.schedule.prediction_type == PredictionType::v_prediction
               ? from.alpha * prediction + from.sigma * sample
               : prediction;
}

void MultistepScheduler::remember(at::Tensor output)
{
    outputs_.push_back(std::move(output));
    if (outputs() > config_.solver_order) {
        outputs_.pop_front();
    }
}

} // namespace sdfleet::pipeline
