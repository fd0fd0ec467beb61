// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/noise_schedule.hpp"
#include "pipeline/sample_limits.hpp"
#include "pipeline/scheduler.hpp"
#include "pipeline/sigma_schedule.hpp"

#include <deque>
#include <vector>

namespace sdfleet::pipeline {

/// The keys that the multi-step solvers share.
struct MultistepConfig {
    NoiseSchedule schedule;
    SigmaOptions sigmas;
    SampleLimits limits; ///< thresholding only
    int solver_order = 2;
    bool lower_order_final = true; ///< the last steps of a short run are of a lower order

    static MultistepConfig read(ConfigReader& reader);

    /// The whole timesteps of `steps` steps, descending, the last of steps + 1 left out. `used` is how many of the
    /// training timesteps count.
    std::vector<double> spaced_timesteps(int steps, std::int64_t used) const;
};

/// A noise level as the solvers see it, fp32 scalars: alpha^2 + sigma^2 = 1, and lambda = log(alpha / sigma).
/// Tensors, so that every function of them rounds as the reference implementation's does: differences of close lambdas
/// magnify the last bit.
struct NoiseLevel {
    at::Tensor alpha;
    at::Tensor sigma;
    at::Tensor lambda;
};

/// What DPM-Solver and UniPC share: samples of unit variance, steps in lambda, and the history of converted predictions
/// that a solver of order k looks back on, k at most. It begins empty wherever the picture begins.
class MultistepScheduler : public Scheduler {
public:
    at::Tensor add_noise(const at::Tensor& original, const at::Tensor& noise, std::size_t index) const override;
    bool is_linear() const override { return !config_.limits.acts(); }

protected:
    /// `sigmas` has one entry more than `timesteps`: where sampling ends.
    MultistepScheduler(MultistepConfig config, const std::vector<double>& timesteps, const std::vector<double>& sigmas);

    NoiseLevel level(std::size_t index) const;

    /// The picture that the model sees in `sample`, kept within the limits.
    at::Tensor original_of(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample) const;

    /// The noise that it sees there.
    at::Tensor noise_of(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample) const;

    void remember(at::Tensor output);

    /// The k-th newest of the history; 0 is the newest.
    const at::Tensor& output(std::size_t k) const { return outputs_[outputs_.size() - 1 - k]; }
    int outputs() const { return static_cast<int>(outputs_.size()); }

    const MultistepConfig& config() const { return config_; }

private:
    MultistepConfig config_;
    std::vector<float> sigmas_;
    std::deque<at::Tensor> outputs_; ///< newest last
};

} // namespace sdfleet::pipeline
