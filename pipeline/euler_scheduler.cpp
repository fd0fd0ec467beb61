// SPDX-License-Identifier: Apache-2.0
#include "pipeline/euler_scheduler.hpp"

#include "pipeline/sigma_schedule.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>

namespace sdfleet::pipeline {

base::Result<EulerConfig> EulerConfig::read(ConfigReader& reader)
{
    EulerConfig config;
    const bool zero_snr = reader.boolean("rescale_betas_zero_snr", false);
    config.schedule = NoiseSchedule::read(reader, TimestepSpacing::linspace, true, zero_snr);
    if (zero_snr) {
        // Not quite 0, or the first sigma would be infinite; half precision's smallest number.
        config.schedule.alphas_cumprod.back() = 0x1p-24F;
    }
    config.log_linear_base = reader.choice("interpolation_type", "linear", {"linear", "log_linear"}) == "log_linear";
    const bool karras = reader.boolean("use_karras_sigmas", false);
    const bool exponential = reader.boolean("use_exponential_sigmas", false);
    const bool beta = reader.boolean("use_beta_sigmas", false);
    if (int{karras} + int{exponential} + int{beta} > 1) {
        reader.problem("more than one of 'use_karras_sigmas', 'use_exponential_sigmas', 'use_beta_sigmas' is true");
    }
    config.sigma_spacing = karras                   ? SigmaSpacing::karras
                           : exponential            ? SigmaSpacing::exponential
                           : beta                   ? SigmaSpacing::beta
                           : config.log_linear_base ? SigmaSpacing::log_linear
                                                    : SigmaSpacing::from_timesteps;
    config.sigma_min = reader.optional_number("sigma_min");
    config.sigma_max = reader.optional_number("sigma_max");
    if (config.sigma_min.value_or(1) <= 0 || config.sigma_max.value_or(1) <= 0) {
        reader.problem("'sigma_min' or 'sigma_max' is not above 0");
    }
    config.final_sigma_is_zero = reader.choice("final_sigmas_type", "zero", {"zero", "sigma_min"}) == "zero";
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

EulerScheduler::EulerScheduler(const EulerConfig& config, int steps)
    : prediction_(config.schedule.prediction_type), spacing_(config.schedule.spacing)
{
    const auto trained = sigmas_of(config.schedule.alphas_cumprod);
    timesteps_ = config.schedule.spaced_timesteps(steps, false);
    std::vector<double> sigmas =
        config.log_linear_base ? log_linear_sigmas(trained, steps) : interpolate_sigmas(trained, timesteps_);
    // The ends come from the sigmas found so far, unless the config names them.
    const double low = config.sigma_min.value_or(sigmas.back());
    const double high = config.sigma_max.value_or(sigmas.front());
    switch (config.sigma_spacing) {
    case SigmaSpacing::from_timesteps:
    case SigmaSpacing::log_linear:
        break;
    case SigmaSpacing::karras:
        sigmas = karras_sigmas(low, high, steps);
        timesteps_ = timesteps_of(sigmas, trained);
        break;
    case SigmaSpacing::exponential:
        sigmas = exponential_sigmas(low, high, steps);
        timesteps_ = timesteps_of(sigmas, trained);
        break;
    case SigmaSpacing::beta:
        sigmas = beta_sigmas(low, high, steps);
        timesteps_ = timesteps_of(sigmas, trained);
        break;
    }
    sigmas_.assign(sigmas.begin(), sigmas.end());
    sigmas_.push_back(config.final_sigma_is_zero ? 0.0F : trained.front());
    if (config.continuous_timesteps) {
        timesteps_.clear();
        std::transform(sigmas_.begin(), sigmas_.end() - 1, std::back_inserter(timesteps_),
                       [](float sigma) { return static_cast<double>(0.25F * std::log(sigma)); });
    }
    for (double& timestep : timesteps_) {
        timestep = static_cast<double>(static_cast<float>(timestep));
    }
}

double EulerScheduler::init_noise_sigma() const
{
    const float largest = *std::max_element(sigmas_.begin(), sigmas_.end());
    return spacing_ == TimestepSpacing::leading ? std::sqrt(largest * largest + 1.0F) : largest;
}

at::Tensor EulerScheduler::scale_model_input(const at::Tensor& sample, std::size_t index) const
{
    const float sigma = sigmas_.at(index);
    return sample / std::sqrt(sigma * sigma + 1.0F);
}

at::Tensor EulerScheduler::add_noise(const at::Tensor& original, const at::Tensor& noise, std::size_t index) const
{
    return original + noise * sigmas_.at(index);
}

at::Tensor EulerScheduler::step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                                NoiseSource& /*noise*/)
{
    const float sigma = sigmas_.at(index);
    const float dt = sigmas_.at(index + 1) - sigma;
    const at::Tensor from = sample.to(at::kFloat); // small differences of large numbers: not in half precision
    at::Tensor original;
    switch (prediction_) {
    case PredictionType::epsilon:
        original = from - sigma * prediction;
        break;
    case PredictionType::v_prediction:
        original = prediction * (-sigma / std::sqrt(sigma * sigma + 1.0F)) + from / (sigma * sigma + 1.0F);
        break;
    case PredictionType::sample:
        original = prediction;
        break;
    }
    return (from + (from - original) / sigma * dt).to(prediction.scalar_type());
}

} // namespace sdfleet::pipeline
