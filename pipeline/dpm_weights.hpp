// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/multistep_scheduler.hpp"

namespace sdfleet::pipeline {

/// dpmsolver solves for the noise, dpmsolver++ for the picture; the sde kinds add fresh noise in every step.
enum class DpmAlgorithm { dpmsolver, dpmsolver_pp, sde_dpmsolver, sde_dpmsolver_pp };

/// A step is a weighted sum: of the sample, of the newest output D0, of the estimates D1 and D2 of the outputs' first and
/// second derivative in lambda, and of fresh noise.
struct DpmWeights {
    at::Tensor sample;
    at::Tensor d0;
    at::Tensor d1_midpoint;
    at::Tensor d1_heun; ///< and of the third order
    at::Tensor d2;
    at::Tensor noise; ///< undefined where none is added
};

DpmWeights dpm_weights(DpmAlgorithm algorithm, const NoiseLevel& from, const NoiseLevel& to);

} // namespace sdfleet::pipeline
