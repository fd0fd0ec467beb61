// SPDX-License-Identifier: Apache-2.0
#include "pipeline/sigma_schedule.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/tensor.h>
#include <boost/math/special_functions/beta.hpp>

namespace sdfleet::pipeline {

SigmaOptions SigmaOptions::read(ConfigReader& reader)
{
    SigmaOptions options;
    const bool karras = reader.boolean("use_karras_sigmas", false);
    const bool exponential = reader.boolean("use_exponential_sigmas", false);
    const bool beta = reader.boolean("use_beta_sigmas", false);
    if (int{karras} + int{exponential} + int{beta} > 1) {
        reader.problem("more than one of 'use_karras_sigmas', 'use_exponential_sigmas', 'use_beta_sigmas' is true");
    }
    options.spacing = karras        ? SigmaSpacing::karras
                      : exponential ? SigmaSpacing::exponential
                      : beta        ? SigmaSpacing::beta
                                    : SigmaSpacing::from_timesteps;
    options.min = reader.optional_number("sigma_min");
    options.max = reader.optional_number("sigma_max");
    if (options.min.value_or(1) <= 0 || options.max.value_or(1) <= 0) {
        reader.problem("'sigma_min' or 'sigma_max' is not above 0");
    }
    options.ends_at_zero = reader.choice("final_sigmas_type", "zero", {"zero", "sigma_min"}) == "zero";
    return options;
}

std::vector<double> SigmaOptions::spaced(double low, double high, int steps) const
{
    low = min.value_or(low);
    high = max.value_or(high);
    return spacing == SigmaSpacing::karras        ? karras_sigmas(low, high, steps)
           : spacing == SigmaSpacing::exponential ? exponential_sigmas(low, high, steps)
                                                  : beta_sigmas(low, high, steps);
}

std::vector<double> evenly(double first, double last, int count)
{
    std::vector<double> points;
    for (int i = 0; i < count; ++i) {
        points.push_back(i + 1 == count && count > 1 ? last : first + i * ((last - first) / std::max(count - 1, 1)));
    }
    return points;
}

std::vector<float> sigmas_of(const std::vector<float>& alphas_cumprod)
{
    // Torch's square root, not the standard library's, which rounds the last bit otherwise: after a first sigma of 4096
    // it shows.
    const at::Tensor alphas = at::tensor(alphas_cumprod, at::TensorOptions().dtype(at::kFloat));
    const at::Tensor sigmas = ((1 - alphas) / alphas).sqrt().contiguous();
    const auto* values = sigmas.const_data_ptr<float>();
    return {values, values + sigmas.numel()};
}

std::vector<double> interpolate_sigmas(const std::vector<float>& trained, const std::vector<double>& timesteps)
{
    const auto last = static_cast<double>(trained.size() - 1);
    std::vector<double> sigmas;
    for (const double timestep : timesteps) {
        const double t = std::clamp(timestep, 0.0, last);
        const auto below = static_cast<std::size_t>(t);
        const std::size_t above = std::min(below + 1, trained.size() - 1);
        const double low = trained[below];
        sigmas.push_back(low + (trained[above] - low) * (t - std::floor(t)));
    }
    return sigmas;
}

std::vector<double> log_linear_sigmas(const std::vector<float>& trained, int steps)
{
    std::vector<double> sigmas;
    for (const double point : evenly(std::log(trained.back()), std::log(trained.front()), steps + 1)) {
        sigmas.push_back(std::exp(static_cast<float>(point)));
    }
    return sigmas;
}

std::vector<double> lu_sigmas(const std::vector<float>& trained, int steps)
{
    std::vector<double> sigmas;
    for (const double point : evenly(std::log(trained.back()), std::log(trained.front()), steps)) {
        sigmas.push_back(std::exp(point));
    }
    return sigmas;
}

std::vector<double> karras_sigmas(double low, double high, int steps)
{
    constexpr double rho = 7;
    const double low_root = std::pow(low, 1 / rho);
    const double high_root = std::pow(high, 1 / rho);
    std::vector<double> sigmas;
    for (const double ramp : evenly(0, 1, steps)) {
        sigmas.push_back(std::pow(high_root + ramp * (low_root - high_root), rho));
    }
    return sigmas;
}

std::vector<double> exponential_sigmas(double low, double high, int steps)
{
    std::vector<double> sigmas;
    for (const double point : evenly(std::log(high), std::log(low), steps)) {
        sigmas.push_back(std::exp(point));
    }
    return sigmas;
}

std::vector<double> beta_sigmas(double low, double high, int steps)
{
    std::vector<double> sigmas;
    for (const double point : evenly(0, 1, steps)) {
        sigmas.push_back(low + boost::math::ibeta_inv(0.6, 0.6, 1 - point) * (high - low));
    }
    return sigmas;
}

std::vector<double> timesteps_of(const std::vector<double>& sigmas, const std::vector<float>& trained)
{
    if (trained.size() < 2) {
        return std::vector<double>(sigmas.size(), 0.0); // nothing to interpolate between
    }
    std::vector<float> logs;
    std::transform(trained.begin(), trained.end(), std::back_inserter(logs), [](float s) { return std::log(s); });
    std::vector<double> timesteps;
    for (const double sigma : sigmas) {
        const double wanted = std::log(std::max(sigma, 1e-10));
        // Not a binary search: with zero terminal SNR the last sigma can be below the one before.
        const auto last_below = std::find_if(logs.rbegin(), logs.rend(), [&](float log) { return log <= wanted; });
        const auto at_or_below = static_cast<std::size_t>(std::max<std::ptrdiff_t>(logs.rend() - last_below - 1, 0));
        const std::size_t low = std::min(at_or_below, logs.size() - 2);
        const double low_log = logs[low];
        const double weight = std::clamp((low_log - wanted) / (low_log - logs[low + 1]), 0.0, 1.0);
        timesteps.push_back((1 - weight) * static_cast<double>(low) + weight * static_cast<double>(low + 1));
    }
    return timesteps;
}

} // namespace sdfleet::pipeline
