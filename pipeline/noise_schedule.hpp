// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/config_reader.hpp"

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace sdfleet::pipeline {

enum class PredictionType { epsilon, v_prediction, sample };
enum class TimestepSpacing { linspace, leading, trailing };

/// What a class of schedulers makes of rescale_betas_zero_snr: nothing, or a last timestep that is noise alone. Where a
/// sigma is needed, which would be infinite, a trace of the picture is left.
enum class ZeroSnr { unknown, zero, almost_zero };

/// How the classes differ in the keys they share, and what a missing key means.
struct ScheduleTraits {
    TimestepSpacing spacing = TimestepSpacing::leading;
    bool predicts_sample = true; ///< the class knows prediction type "sample"
    ZeroSnr zero_snr = ZeroSnr::unknown;
    double beta_start = 0.0001;
    double beta_end = 0.02;
    const char* beta_schedule = "linear";
};

/// The keys that all schedulers of this family share. Missing keys take the defaults of the class that reads them.
struct NoiseSchedule {
    std::int64_t num_train_timesteps = 1000;
    std::vector<float> alphas_cumprod; ///< product of (1 - beta) up to each training timestep
    PredictionType prediction_type = PredictionType::epsilon;
    TimestepSpacing spacing = TimestepSpacing::leading;
    std::int64_t steps_offset = 0;
    bool squared_cosine = false; ///< beta_schedule is squaredcos_cap_v2

    static NoiseSchedule read(ConfigReader& reader, const ScheduleTraits& traits);

    /// The timesteps of `steps` steps in descending order. `whole` rounds linspace to whole numbers.
    std::vector<double> spaced_timesteps(int steps, bool whole) const;

    /// Of `steps` steps counted down from `used`, which is all training timesteps or fewer; the fewer, the fewer steps.
    std::vector<double> trailing_timesteps(int steps, std::int64_t used) const;

    /// alphas_cumprod at a timestep, or `before` for one below 0: an fp32 scalar. A tensor, so that every function of it
    /// rounds as the reference implementation's does; where samples are large the last bit shows.
    at::Tensor alpha(std::int64_t timestep, float before = 1) const;

    /// sqrt(alpha) of `original` and sqrt(1 - alpha) of `noise`, in the type of `original`.
    at::Tensor add_noise(const at::Tensor& original, const at::Tensor& noise, double timestep) const;

    /// An error (ExitCode::usage) when `steps` steps would need timesteps that the model was not trained on.
    base::Result<void> check_steps(int steps, const std::vector<double>& timesteps) const;
};

} // namespace sdfleet::pipeline
