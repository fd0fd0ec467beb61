// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/config_reader.hpp"

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace sdfleet::pipeline {

enum class PredictionType { epsilon, v_prediction, sample };
enum class TimestepSpacing { linspace, leading, trailing };

/// The keys that all schedulers of this family share. Missing keys take the defaults of the class that reads them.
struct NoiseSchedule {
    std::int64_t num_train_timesteps = 1000;
    std::vector<float> alphas_cumprod; ///< product of (1 - beta) up to each training timestep
    PredictionType prediction_type = PredictionType::epsilon;
    TimestepSpacing spacing = TimestepSpacing::leading;
    std::int64_t steps_offset = 0;

    /// Reads the shared keys. `with_sample`: the scheduler knows prediction type "sample".
    static NoiseSchedule read(ConfigReader& reader, TimestepSpacing default_spacing, bool with_sample,
                              bool rescale_to_zero_snr);

    /// The timesteps of `steps` steps in descending order. `whole` rounds linspace to whole numbers.
    std::vector<double> spaced_timesteps(int steps, bool whole) const;

    /// sqrt(alpha) of `original` and sqrt(1 - alpha) of `noise`, in the type of `original`.
    at::Tensor add_noise(const at::Tensor& original, const at::Tensor& noise, double timestep) const;

    /// An error (ExitCode::usage) when `steps` steps would need timesteps that the model was not trained on.
    base::Result<void> check_steps(int steps, const std::vector<double>& timesteps) const;
};

} // namespace sdfleet::pipeline
