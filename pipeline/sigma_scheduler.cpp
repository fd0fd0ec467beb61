// SPDX-License-Identifier: Apache-2.0
#include "pipeline/sigma_scheduler.hpp"

#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/ops/scalar_tensor.h>

namespace sdfleet::pipeline {

SigmaScheduler::SigmaScheduler(const NoiseSchedule& schedule)
    : prediction_(schedule.prediction_type), spacing_(schedule.spacing)
{
}

at::Tensor SigmaScheduler::sigma(std::size_t index) const
{
    return at::scalar_tensor(sigmas_.at(index));
}

double SigmaScheduler::init_noise_sigma() const
{
    const float largest = *std::max_element(sigmas_.begin(), sigmas_.end());
    return spacing_ == TimestepSpacing::leading ? (at::scalar_tensor(largest).pow(2) + 1).sqrt().item<double>()
                                                : largest;
}

at::Tensor SigmaScheduler::scale_model_input(const at::Tensor& sample, std::size_t index) const
{
    return sample / (sigma(index).pow(2) + 1).sqrt();
}

at::Tensor SigmaScheduler::add_noise(const at::Tensor& original, const at::Tensor& noise, std::size_t index) const
{
    return original + noise * sigmas_.at(index);
}

at::Tensor SigmaScheduler::original_of(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample) const
{
    const at::Tensor level = sigma(index);
    switch (prediction_) {
    case PredictionType::epsilon:
        return sample - level * prediction;
    case PredictionType::v_prediction:
        return prediction * (-level / (level * level + 1).sqrt()) + sample / (level * level + 1);
    case PredictionType::sample:
        break;
    }
    return prediction;
}

} // namespace sdfleet::pipeline
