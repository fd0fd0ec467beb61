// SPDX-License-Identifier: Apache-2.0
#include "pipeline/dpm_weights.hpp"

#include <ATen/TensorOperators.h>

namespace sdfleet::pipeline {

namespace {

DpmWeights dpmsolver(const NoiseLevel& from, const NoiseLevel& to, const at::Tensor& h)
{
    const at::Tensor grown = h.exp() - 1.0;
    const at::Tensor d0 = -(to.sigma * grown);
    return {to.alpha / from.alpha,
            d0,
            0.5 * d0,
            -(to.sigma * (grown / h - 1.0)),
            -(to.sigma * ((grown - h) / (h * h) - 0.5)),
            {}};
}

DpmWeights dpmsolver_pp(const NoiseLevel& from, const NoiseLevel& to, const at::Tensor& h)
{
    const at::Tensor shrunk = (-h).exp() - 1.0;
    const at::Tensor d0 = -(to.alpha * shrunk);
    return {to.sigma / from.sigma,
            d0,
            0.5 * d0,
            to.alpha * (shrunk / h + 1.0),
            -(to.alpha * ((shrunk + h) / (h * h) - 0.5)),
            {}};
}

DpmWeights sde_dpmsolver(const NoiseLevel& from, const NoiseLevel& to, const at::Tensor& h)
{
    const at::Tensor grown = h.exp() - 1.0;
    const at::Tensor d0 = -2.0 * (to.sigma * grown);
    return {to.alpha / from.alpha,
            d0,
            0.5 * d0,
            -2.0 * (to.sigma * (grown / h - 1.0)),
            {},
            to.sigma * ((2 * h).exp() - 1.0).sqrt()};
}

DpmWeights sde_dpmsolver_pp(const NoiseLevel& from, const NoiseLevel& to, const at::Tensor& h)
{
    const at::Tensor lost = 1.0 - (-2.0 * h).exp();
    const at::Tensor twice = 2.0 * h;
    const at::Tensor d0 = to.alpha * lost;
    return {to.sigma / from.sigma * (-h).exp(),
            d0,
            0.5 * d0,
            to.alpha * (lost / -twice + 1.0),
            to.alpha * ((lost - twice) / (twice * twice) - 0.5),
            to.sigma * lost.sqrt()};
}

} // namespace

DpmWeights dpm_weights(DpmAlgorithm algorithm, const NoiseLevel& from, const NoiseLevel& to)
{
    const at::Tensor h = to.lambda - from.lambda;
    switch (algorithm) {
    case DpmAlgorithm::dpmsolver:
        return dpmsolver(from, to, h);
    case DpmAlgorithm::sde_dpmsolver:
        return sde_dpmsolver(from, to, h);
    case DpmAlgorithm::sde_dpmsolver_pp:
        return sde_dpmsolver_pp(from, to, h);
    case DpmAlgorithm::dpmsolver_pp:
        break;
    }
    return dpmsolver_pp(from, to, h);
}

} // namespace sdfleet::pipeline
