// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/noise_schedule.hpp"
#include "pipeline/scheduler.hpp"

#include <deque>

namespace sdfleet::pipeline {

struct PndmConfig {
    NoiseSchedule schedule;
    bool skip_prk_steps = false;
    bool set_alpha_to_one = false; ///< the alpha after the last step is 1, not that of timestep 0

    static base::Result<PndmConfig> read(ConfigReader& reader);
};

/// Pseudo numerical methods, https://arxiv.org/abs/2202.09778: three Runge-Kutta steps of four calls each (PRK), then
/// the linear multi-step method (PLMS). With skip_prk_steps PLMS alone, whose second timestep comes twice: the second
/// call there averages the two predictions and steps again from the first sample.
class PndmScheduler final : public Scheduler {
public:
    static base::Result<std::unique_ptr<Scheduler>> make(const PndmConfig& config, int steps);

    at::Tensor step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                    NoiseSource& noise) override;
    at::Tensor add_noise(const at::Tensor& original, const at::Tensor& noise, std::size_t index) const override;

private:
    PndmScheduler(PndmConfig config, int steps);
    at::Tensor step_prk(at::Tensor prediction, std::size_t call, std::int64_t timestep, const at::Tensor& sample);
    at::Tensor step_plms(at::Tensor prediction, std::size_t call, std::int64_t from, at::Tensor sample);
    at::Tensor transfer(const at::Tensor& sample, std::int64_t from, std::int64_t to, at::Tensor prediction) const;

    PndmConfig config_;
    std::int64_t stride_;         ///< training timesteps per step
    std::size_t prk_calls_ = 0;   ///< the first calls, which are Runge-Kutta's
    std::deque<at::Tensor> past_; ///< predictions, newest last; at most four
    at::Tensor weighted_sum_;     ///< of the Runge-Kutta step under way
    at::Tensor start_;            ///< the sample that the step under way began with
};

} // namespace sdfleet::pipeline
