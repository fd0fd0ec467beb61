// SPDX-License-Identifier: Apache-2.0
#include "pipeline/euler_scheduler.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>

namespace sdfleet::pipeline {

base::Result<EulerConfig> EulerConfig::read(ConfigReader& reader)
{
    EulerConfig config;
    config.schedule =
        NoiseSchedule::read(reader, {.spacing = TimestepSpacing::linspace, .zero_snr = ZeroSnr::almost_zero});
    config.sigmas = SigmaOptions::read(reader);
    config.log_linear = reader.choice("interpolation_type", "linear", {"linear", "log_linear"}) == "log_linear";
    config.continuous_timesteps =
        reader.choice("timestep_type", "discrete", {"discrete", "continuous"}) == "continuous" &&
        config.schedule.prediction_type == PredictionType::v_prediction;
    return reader.finish_tolerantly().map([&] { return config; });
}

base::Result<std::unique_ptr<Scheduler>> EulerScheduler::make(const EulerConfig& config, int steps)
{
    if (auto fits = config.schedule.check_steps(steps, {}); !fits) {
        return tl::unexpected(fits.error());
    }
    return std::unique_ptr<Scheduler>(new EulerScheduler(config, steps));
}

EulerScheduler::EulerScheduler(const EulerConfig& config, int steps) : SigmaScheduler(config.schedule)
{
    const auto trained = sigmas_of(config.schedule.alphas_cumprod);
    timesteps_ = config.schedule.spaced_timesteps(steps, false);
    std::vector<double> sigmas =
        config.log_linear ? log_linear_sigmas(trained, steps) : interpolate_sigmas(trained, timesteps_);
    if (config.sigmas.spacing != SigmaSpacing::from_timesteps) {
        sigmas = config.sigmas.spaced(sigmas.back(), sigmas.front(), steps);
        timesteps_ = timesteps_of(sigmas, trained);
    }
    sigmas_.assign(sigmas.begin(), sigmas.end());
    sigmas_.push_back(config.sigmas.ends_at_zero ? 0.0F : trained.front());
    if (config.continuous_timesteps) {
        timesteps_.clear();
        std::transform(sigmas_.begin(), sigmas_.end() - 1, std::back_inserter(timesteps_),
                       [](float sigma) { return static_cast<double>(0.25F * std::log(sigma)); });
    }
    for (double& timestep : timesteps_) {
        timestep = static_cast<double>(static_cast<float>(timestep));
    }
}

at::Tensor EulerScheduler::step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                                NoiseSource& /*noise*/)
{
    const float sigma = sigmas_.at(index);
    const float dt = sigmas_.at(index + 1) - sigma;
    const at::Tensor from = sample.to(at::kFloat); // small differences of large numbers: not in half precision
    const at::Tensor original = original_of(prediction, index, from);
    return (from + (from - original) / sigma * dt).to(prediction.scalar_type());
}

} // namespace sdfleet::pipeline
