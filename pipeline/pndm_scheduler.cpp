// SPDX-License-Identifier: Apache-2.0
#include "pipeline/pndm_scheduler.hpp"

#include <algorithm>

#include <ATen/TensorOperators.h>

namespace sdfleet::pipeline {

namespace {

constexpr std::size_t prk_order = 4; ///< of Runge-Kutta

std::vector<double> plms_timesteps(const std::vector<double>& descending)
{
    std::vector<double> calls = descending;
    if (calls.size() > 1) {
        calls.insert(calls.begin() + 1, calls[1]);
    }
    return calls;
}

/// Each of the three first steps t -> t' calls the model at t, twice half-way, and at t'.
std::vector<double> prk_timesteps(const std::vector<double>& descending, std::int64_t half_stride)
{
    std::vector<double> calls;
    for (std::size_t i = 0; i + 1 < prk_order; ++i) {
        const double middle = descending[i + 1] + static_cast<double>(half_stride);
        calls.insert(calls.end(), {descending[i], middle, middle, descending[i + 1]});
    }
    return calls;
}

} // namespace

base::Result<PndmConfig> PndmConfig::read(ConfigReader& reader)
{
    PndmConfig config;
    config.schedule = NoiseSchedule::read(reader, {.spacing = TimestepSpacing::leading, .predicts_sample = false});
    config.skip_prk_steps = reader.boolean("skip_prk_steps", false);
    config.set_alpha_to_one = reader.boolean("set_alpha_to_one", false);
    return reader.finish_tolerantly().map([&] { return config; });
}

base::Result<std::unique_ptr<Scheduler>> PndmScheduler::make(const PndmConfig& config, int steps)
{
    if (!config.skip_prk_steps && steps < static_cast<int>(prk_order)) {
        return base::fail(base::ExitCode::usage,
                          "this model's pndm scheduler begins with Runge-Kutta steps and needs at "
                          "least 4 steps; asked for " +
                              std::to_string(steps));
    }
    const auto timesteps = config.schedule.spaced_timesteps(steps, true);
    if (auto fits = config.schedule.check_steps(steps, timesteps); !fits) {
        return tl::unexpected(fits.error());
    }
    return std::unique_ptr<Scheduler>(new PndmScheduler(config, steps));
}

PndmScheduler::PndmScheduler(PndmConfig config, int steps)
    : config_(std::move(config)), stride_(config_.schedule.num_train_timesteps / steps)
{
    const auto descending = config_.schedule.spaced_timesteps(steps, true);
    if (config_.skip_prk_steps) {
        timesteps_ = plms_timesteps(descending);
        return;
    }
    timesteps_ = prk_timesteps(descending, stride_ / 2);
    prk_calls_ = timesteps_.size();
    timesteps_.insert(timesteps_.end(), descending.begin() + prk_order - 1, descending.end());
}

at::Tensor PndmScheduler::add_noise(const at::Tensor& original, const at::Tensor& noise, std::size_t index) const
{
    return config_.schedule.add_noise(original, noise, timesteps_.at(index));
}

at::Tensor PndmScheduler::step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                               NoiseSource& /*noise*/)
{
    // A picture that begins in the middle makes its first calls as any other does, even Runge-Kutta's.
    const std::size_t call = index - begin_;
    const auto timestep = static_cast<std::int64_t>(timesteps_.at(index));
    return call < prk_calls_ ? step_prk(prediction, call, timestep, sample)
                             : step_plms(prediction, call, timestep, sample);
}

at::Tensor PndmScheduler::step_prk(at::Tensor prediction, std::size_t call, std::int64_t timestep,
                                   const at::Tensor& sample)
{
    const auto from = static_cast<std::int64_t>(timesteps_.at(call / prk_order * prk_order));
    const std::int64_t to = timestep - (call % 2 == 1 ? 0 : stride_ / 2);
    switch (call % prk_order) {
    case 0:
        weighted_sum_ = prediction / 6;
        past_.push_back(prediction);
        start_ = sample;
        break;
    case 3:
        prediction = weighted_sum_ + prediction / 6;
        break;
    default:
        weighted_sum_ = weighted_sum_ + prediction / 3;
        break;
    }
    return transfer(start_, from, to, std::move(prediction));
}

at::Tensor PndmScheduler::step_plms(at::Tensor prediction, std::size_t call, std::int64_t from, at::Tensor sample)
{
    std::int64_t to = from - stride_;
    const bool repeated = call == 1; // only without Runge-Kutta, which takes the first twelve calls
    if (repeated) {
        to = from;
        from += stride_;
        prediction = (prediction + past_.back()) / 2;
        sample = start_;
        return transfer(sample, from, to, std::move(prediction));
    }
    past_.push_back(std::move(prediction));
    if (past_.size() > 4) {
        past_.pop_front();
    }
    const std::size_t n = past_.size();
    if (call == 0) {
        start_ = sample;
    }
    at::Tensor mean = past_[n - 1];
    if (n == 2) {
        mean = (3 * past_[1] - past_[0]) / 2;
    } else if (n == 3) {
        mean = (23 * past_[2] - 16 * past_[1] + 5 * past_[0]) / 12;
    } else if (n == 4) {
        mean = (55 * past_[3] - 59 * past_[2] + 37 * past_[1] - 9 * past_[0]) / 24;
    }
    return transfer(sample, from, to, std::move(mean));
}

at::Tensor PndmScheduler::transfer(const at::Tensor& sample, std::int64_t from, std::int64_t to,
                                   at::Tensor prediction) const
{
    const NoiseSchedule& schedule = config_.schedule;
    const at::Tensor alpha = schedule.alpha(std::clamp<std::int64_t>(from, 0, schedule.num_train_timesteps - 1));
    const at::Tensor alpha_to = schedule.alpha(to, config_.set_alpha_to_one ? 1.0F : schedule.alphas_cumprod.front());
    const at::Tensor beta = 1 - alpha;
    const at::Tensor beta_to = 1 - alpha_to;
    if (schedule.prediction_type == PredictionType::v_prediction) {
        prediction = alpha.sqrt() * prediction + beta.sqrt() * sample;
    }
    // formula (9)
    const at::Tensor sample_factor = (alpha_to / alpha).sqrt();
    const at::Tensor denominator = alpha * beta_to.sqrt() + (alpha * beta * alpha_to).sqrt();
    return sample_factor * sample - (alpha_to - alpha) * prediction / denominator;
}

} // namespace sdfleet::pipeline
