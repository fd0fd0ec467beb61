// SPDX-License-Identifier: Apache-2.0
#include "pipeline/sigma_scheduler.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>

namespace sdfleet::pipeline {

SigmaScheduler::SigmaScheduler(const NoiseSchedule& schedule)
    : prediction_(schedule.prediction_type), spacing_(schedule.spacing)
{
}

double SigmaScheduler::init_noise_sigma() const
{
    const float largest = *std::max_element(sigmas_.begin(), sigmas_.end());
    return spacing_ == TimestepSpacing::leading ? std::sqrt(largest * largest + 1.0F) : largest;
}

at::Tensor SigmaScheduler::scale_model_input(const at::Tensor& sample, std::size_t index) const
{
    const float sigma = sigmas_.at(index);
    return sample / std::sqrt(sigma * sigma + 1.0F);
}

at::Tensor SigmaScheduler::add_noise(const at::Tensor& original, const at::Tensor& noise, std::size_t index) const
{
    return original + noise * sigmas_.at(index);
}

at::Tensor SigmaScheduler::original_of(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample) const
{
    const float sigma = sigmas_.at(index);
    switch (prediction_) {
    case PredictionType::epsilon:
        return sample - sigma * prediction;
    case PredictionType::v_prediction:
        return prediction * (-sigma / std::sqrt(sigma * sigma + 1.0F)) + sample / (sigma * sigma + 1.0F);
    case PredictionType::sample:
        break;
    }
    return prediction;
}

} // namespace sdfleet::pipeline
