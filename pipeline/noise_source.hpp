// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

namespace sdfleet::pipeline {

/// The random numbers of one picture alone: its first draw is the noise that the picture begins with, the next ones are
/// what its scheduler adds on the way. Drawn on the CPU and in fp32 wherever the model runs: the same on every machine.
class NoiseSource {
public:
    /// Of `seed` the low 32 bits count, as the generator uses no more.
    explicit NoiseSource(std::uint64_t seed);
    virtual ~NoiseSource() = default;

    /// fp32, on the CPU.
    virtual at::Tensor draw(at::IntArrayRef shape);

    /// As `like` is: its shape, device and type.
    at::Tensor draw_like(const at::Tensor& like);

private:
    at::Generator generator_;
};

} // namespace sdfleet::pipeline
