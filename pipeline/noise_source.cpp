// SPDX-License-Identifier: Apache-2.0
#include "pipeline/noise_source.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/randn.h>

namespace sdfleet::pipeline {

namespace {

constexpr std::uint64_t low_32_bits = 0xffffffff;

} // namespace

NoiseSource::NoiseSource(std::uint64_t seed) : generator_(at::make_generator<at::CPUGeneratorImpl>(seed & low_32_bits))
{
}

at::Tensor NoiseSource::draw(at::IntArrayRef shape)
{
    return at::randn(shape, generator_, at::TensorOptions().dtype(at::kFloat));
}

at::Tensor NoiseSource::draw_like(const at::Tensor& like)
{
    return draw(like.sizes()).to(like.options());
}

} // namespace sdfleet::pipeline
