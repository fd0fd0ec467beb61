// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

namespace sdfleet::pipeline {

/// Ways to choose noise levels (sigma = sqrt((1 - alpha) / alpha)), all descending, in double as the reference
/// implementations compute them. `trained` are the sigmas of the training timesteps, ascending.

std::vector<float> sigmas_of(const std::vector<float>& alphas_cumprod);

/// Linear interpolation of `trained` at fractional timesteps; clamped to its ends.
std::vector<double> interpolate_sigmas(const std::vector<float>& trained, const std::vector<double>& timesteps);

/// steps + 1 sigmas, evenly spaced in their logarithm, over the whole trained range.
std::vector<double> log_linear_sigmas(const std::vector<float>& trained, int steps);

/// https://arxiv.org/abs/2206.00364, equation 5, rho = 7.
std::vector<double> karras_sigmas(double low, double high, int steps);

std::vector<double> exponential_sigmas(double low, double high, int steps);

/// https://arxiv.org/abs/2407.12173: quantiles of a Beta(0.6, 0.6) distribution.
std::vector<double> beta_sigmas(double low, double high, int steps);

/// The fractional training timestep of each sigma, by linear interpolation of the logarithms.
std::vector<double> timesteps_of(const std::vector<double>& sigmas, const std::vector<float>& trained);

} // namespace sdfleet::pipeline
