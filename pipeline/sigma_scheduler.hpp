// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/noise_schedule.hpp"
#include "pipeline/scheduler.hpp"

#include <vector>

namespace sdfleet::pipeline {

/// What Euler's schedulers share. Their samples are picture + sigma * noise, sigma = sqrt((1 - alpha) / alpha), so they
/// grow with the noise, and the model wants them scaled back.
class SigmaScheduler : public Scheduler {
public:
    double init_noise_sigma() const override;
    at::Tensor scale_model_input(const at::Tensor& sample, std::size_t index) const override;
    at::Tensor add_noise(const at::Tensor& original, const at::Tensor& noise, std::size_t index) const override;

    /// One more than the timesteps: the last is where sampling ends.
    const std::vector<float>& sigmas() const { return sigmas_; }

protected:
    explicit SigmaScheduler(const NoiseSchedule& schedule);

    /// An fp32 scalar. A tensor, so that every function of it rounds as the reference implementation's does.
    at::Tensor sigma(std::size_t index) const;

    /// The picture that the model sees in `sample`, which is fp32.
    at::Tensor original_of(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample) const;

    std::vector<float> sigmas_;

private:
    PredictionType prediction_;
    TimestepSpacing spacing_;
};

} // namespace sdfleet::pipeline
