// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/config_reader.hpp"

#include <optional>
#include <vector>

namespace sdfleet::pipeline {

/// Ways to choose noise levels (sigma = sqrt((1 - alpha) / alpha)), all descending, in double as the reference
/// implementations compute them. `trained` are the sigmas of the training timesteps, ascending.

enum class SigmaSpacing { from_timesteps, karras, exponential, beta };

/// The keys about sigmas that several classes share.
struct SigmaOptions {
    SigmaSpacing spacing = SigmaSpacing::from_timesteps;
    std::optional<double> min;
    std::optional<double> max;
    bool ends_at_zero = true; ///< the sigma after the last step is 0

    static SigmaOptions read(ConfigReader& reader);

    /// Spaced as asked for (not from timesteps), from `high` down to `low` unless the config names the ends.
    std::vector<double> spaced(double low, double high, int steps) const;
};

/// count points from `first` to `last`, both included.
std::vector<double> evenly(double first, double last, int count);

std::vector<float> sigmas_of(const std::vector<float>& alphas_cumprod);

/// Linear interpolation of `trained` at fractional timesteps; clamped to its ends.
std::vector<double> interpolate_sigmas(const std::vector<float>& trained, const std::vector<double>& timesteps);

/// steps + 1 sigmas, evenly spaced in their logarithm, over the whole trained range.
std::vector<double> log_linear_sigmas(const std::vector<float>& trained, int steps);

/// steps sigmas of that kind: https://arxiv.org/abs/2206.00927.
std::vector<double> lu_sigmas(const std::vector<float>& trained, int steps);

/// https://arxiv.org/abs/2206.00364, equation 5, rho = 7.
std::vector<double> karras_sigmas(double low, double high, int steps);

std::vector<double> exponential_sigmas(double low, double high, int steps);

/// https://arxiv.org/abs/2407.12173: quantiles of a Beta(0.6, 0.6) distribution.
std::vector<double> beta_sigmas(double low, double high, int steps);

/// The fractional training timestep of each sigma, by linear interpolation of the logarithms.
std::vector<double> timesteps_of(const std::vector<double>& sigmas, const std::vector<float>& trained);

} // namespace sdfleet::pipeline
