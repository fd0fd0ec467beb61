// SPDX-License-Identifier: Apache-2.0
#include "pipeline/timestep_embedding.hpp"

#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/tensor.h>

namespace sdfleet::pipeline {

at::Tensor timestep_embedding(double timestep, std::int64_t channels, bool cos_first, double freq_shift)
{
    return timestep_embeddings({timestep}, channels, cos_first, freq_shift);
}

at::Tensor timestep_embeddings(const std::vector<double>& timesteps, std::int64_t channels, bool cos_first,
                               double freq_shift)
{
    constexpr double max_period = 10000;
    const std::int64_t half = channels / 2;
    at::Tensor exponent = at::arange(half, at::TensorOptions().dtype(at::kFloat)).mul_(-std::log(max_period));
    exponent.div_(static_cast<double>(half) - freq_shift);
    const at::Tensor times = at::tensor(timesteps, at::TensorOptions().dtype(at::kFloat)).unsqueeze(1);
    const at::Tensor angles = exponent.exp_().unsqueeze(0) * times;
    const at::Tensor waves =
        cos_first ? at::cat({angles.cos(), angles.sin()}, -1) : at::cat({angles.sin(), angles.cos()}, -1);
    return channels % 2 == 0 ? waves : at::constant_pad_nd(waves, {0, 1});
}

at::Tensor guidance_embedding(double guidance_scale, std::int64_t channels)
{
    const std::int64_t half = channels / 2;
    const float step = std::log(10000.0F) / static_cast<float>(half - 1);
    const float position = static_cast<float>(guidance_scale - 1) * 1000.0F;
    const at::Tensor frequencies = at::arange(half, at::TensorOptions().dtype(at::kFloat)).mul_(-step).exp_();
    const at::Tensor angles = frequencies.mul(position).unsqueeze(0);
    const at::Tensor waves = at::cat({angles.sin(), angles.cos()}, -1);
    return channels % 2 == 0 ? waves : at::constant_pad_nd(waves, {0, 1});
}

} // namespace sdfleet::pipeline
