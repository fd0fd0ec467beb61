// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace sdfleet::pipeline {

/// Sinusoidal embedding of a (possibly fractional) timestep, fp32 on the CPU, [1, channels]: sines and cosines of
/// `timestep` at channels/2 frequencies from 1 down to about 1/10000. `cos_first` puts the cosines before the sines.
at::Tensor timestep_embedding(double timestep, std::int64_t channels, bool cos_first, double freq_shift);

/// The same of several: [timesteps, channels].
at::Tensor timestep_embeddings(const std::vector<double>& timesteps, std::int64_t channels, bool cos_first,
                               double freq_shift);

/// As above, of how far a distilled model is to follow the prompt. Its operations run in the order of the published
/// pipelines: at angles of thousands a difference in the last bit of a frequency would be seen.
at::Tensor guidance_embedding(double guidance_scale, std::int64_t channels);

} // namespace sdfleet::pipeline
