// SPDX-License-Identifier: Apache-2.0
#include "pipeline/noise_schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cumprod.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>

namespace sdfleet::pipeline {

namespace {

/// Cosine schedule of https://arxiv.org/abs/2102.09672, with its cap.
std::vector<double> cosine_betas(std::int64_t count)
{
    const auto alpha_bar = [](double t) { return std::pow(std::cos((t + 0.008) / 1.008 * std::numbers::pi / 2), 2); };
    std::vector<double> betas;
    for (std::int64_t i = 0; i < count; ++i) {
        const double from = static_cast<double>(i) / static_cast<double>(count);
        const double to = static_cast<double>(i + 1) / static_cast<double>(count);
        betas.push_back(std::min(1 - alpha_bar(to) / alpha_bar(from), 0.999));
    }
    return betas;
}

/// Betas whose last step leaves no signal: https://arxiv.org/abs/2305.08891, algorithm 1.
at::Tensor with_zero_terminal_snr(const at::Tensor& betas)
{
    at::Tensor root = at::cumprod(1.0 - betas, 0).sqrt();
    const at::Tensor first = root[0].clone();
    const at::Tensor last = root[-1].clone();
    root = (root - last) * (first / (first - last));
    const at::Tensor alpha_bar = root.pow(2);
    const at::Tensor alphas = alpha_bar.slice(0, 1) / alpha_bar.slice(0, 0, -1);
    return 1 - at::cat({alpha_bar.slice(0, 0, 1), alphas});
}

at::Tensor read_betas(ConfigReader& reader, const ScheduleTraits& traits, std::int64_t& count)
{
    const auto fp32 = at::TensorOptions().dtype(at::kFloat);
    double start = reader.number("beta_start", traits.beta_start);
    double end = reader.number("beta_end", traits.beta_end);
    const auto kind =
        reader.choice("beta_schedule", traits.beta_schedule, {"linear", "scaled_linear", "squaredcos_cap_v2"});
    if (!(start > 0 && start < 1 && end > 0 && end < 1)) {
        reader.problem("'beta_start' or 'beta_end' does not lie between 0 and 1");
        start = end = 0.5; // the reading goes on, with numbers that do no harm
    }
    if (const auto trained = reader.numbers("trained_betas"); !trained.empty()) {
        count = static_cast<std::int64_t>(trained.size());
        return at::tensor(trained, fp32);
    }
    if (kind == "squaredcos_cap_v2") {
        return at::tensor(cosine_betas(count), fp32);
    }
    if (kind == "scaled_linear") {
        return at::linspace(std::sqrt(std::abs(start)), std::sqrt(std::abs(end)), count, fp32).pow(2);
    }
    return at::linspace(start, end, count, fp32);
}

/// Rounds halves to even, as numpy does.
double round_even(double value)
{
    return std::nearbyint(value);
}

} // namespace

NoiseSchedule NoiseSchedule::read(ConfigReader& reader, const ScheduleTraits& traits)
{
    NoiseSchedule schedule;
    schedule.num_train_timesteps = reader.integer("num_train_timesteps", 1000, 1, 1'000'000);
    at::Tensor betas = read_betas(reader, traits, schedule.num_train_timesteps);
    schedule.squared_cosine = reader.text("beta_schedule", traits.beta_schedule) == "squaredcos_cap_v2";
    const bool rescaled = traits.zero_snr != ZeroSnr::unknown && reader.boolean("rescale_betas_zero_snr", false);
    if (rescaled) {
        betas = with_zero_terminal_snr(betas);
    }
    const at::Tensor products = at::cumprod(1.0 - betas, 0).contiguous();
    const float* values = products.const_data_ptr<float>();
    schedule.alphas_cumprod.assign(values, values + products.numel());
    if (rescaled && traits.zero_snr == ZeroSnr::almost_zero) {
        schedule.alphas_cumprod.back() = 0x1p-24F; // half precision's smallest number
    }

    const auto prediction = traits.predicts_sample
                                ? reader.choice("prediction_type", "epsilon", {"epsilon", "v_prediction", "sample"})
                                : reader.choice("prediction_type", "epsilon", {"epsilon", "v_prediction"});
    schedule.prediction_type = prediction == "epsilon"        ? PredictionType::epsilon
                               : prediction == "v_prediction" ? PredictionType::v_prediction
                                                              : PredictionType::sample;
    const std::string usual = traits.spacing == TimestepSpacing::leading ? "leading" : "linspace";
    const auto spacing = reader.choice("timestep_spacing", usual, {"linspace", "leading", "trailing"});
    schedule.spacing = spacing == "linspace"  ? TimestepSpacing::linspace
                       : spacing == "leading" ? TimestepSpacing::leading
                                              : TimestepSpacing::trailing;
    schedule.steps_offset = reader.integer("steps_offset", 0, 0, schedule.num_train_timesteps - 1);
    return schedule;
}

std::vector<double> NoiseSchedule::spaced_timesteps(int steps, bool whole) const
{
    if (spacing == TimestepSpacing::trailing) {
        return trailing_timesteps(steps, num_train_timesteps);
    }
    const auto last = static_cast<double>(num_train_timesteps - 1);
    const std::int64_t whole_stride = num_train_timesteps / steps;
    std::vector<double> timesteps;
    for (int i = 0; i < steps; ++i) {
        double t = 0;
        if (spacing == TimestepSpacing::linspace) {
            const double stride = steps > 1 ? last / (steps - 1) : 0;
            t = i == steps - 1 && steps > 1 ? last : i * stride;
            t = whole ? round_even(t) : static_cast<double>(static_cast<float>(t));
        } else {
            t = static_cast<double>(i * whole_stride + steps_offset);
        }
        timesteps.push_back(t);
    }
    std::reverse(timesteps.begin(), timesteps.end());
    return timesteps;
}

std::vector<double> NoiseSchedule::trailing_timesteps(int steps, std::int64_t used) const
{
    const auto from = static_cast<double>(used);
    const double stride = static_cast<double>(num_train_timesteps) / steps;
    // For one number of steps in sixteen the reference implementation's own rounding gives it one timestep too many, -1,
    // and a spoilt picture. That one is left out.
    const int count = used == num_train_timesteps ? steps : static_cast<int>(std::ceil(from / stride));
    const double rounded_stride = from - (from - stride); // its numbers, too; halves hang on them
    std::vector<double> timesteps;
    for (int i = 0; i < count; ++i) {
        timesteps.push_back(round_even(from - i * rounded_stride) - 1);
    }
    return timesteps;
}

at::Tensor NoiseSchedule::alpha(std::int64_t timestep, float before) const
{
    return at::scalar_tensor(timestep < 0 ? before : alphas_cumprod.at(static_cast<std::size_t>(timestep)));
}

at::Tensor NoiseSchedule::add_noise(const at::Tensor& original, const at::Tensor& noise, double timestep) const
{
    const at::Tensor alpha =
        at::scalar_tensor(alphas_cumprod.at(static_cast<std::size_t>(timestep)), original.options());
    return alpha.sqrt() * original + (1 - alpha).sqrt() * noise;
}

base::Result<void> NoiseSchedule::check_steps(int steps, const std::vector<double>& timesteps) const
{
    const auto inside = [this](double t) { return t >= 0 && t < static_cast<double>(num_train_timesteps); };
    const bool stands_still = timesteps.size() > 1 && timesteps.front() == timesteps.back();
    if (steps > num_train_timesteps || stands_still || !std::all_of(timesteps.begin(), timesteps.end(), inside)) {
        return base::fail(base::ExitCode::usage, std::to_string(steps) + " steps do not fit the model's " +
                                                     std::to_string(num_train_timesteps) +
                                                     " training timesteps with steps_offset " +
                                                     std::to_string(steps_offset) + "; use fewer steps");
    }
    return {};
}

} // namespace sdfleet::pipeline
