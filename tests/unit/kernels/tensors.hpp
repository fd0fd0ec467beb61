// SPDX-License-Identifier: Apache-2.0
// Tensors for the kernels, and what ATen says about them in fp64.
#pragma once

#include "kernels/cpu_kernels.hpp"

#include "tests/catch.hpp"

#include <cmath>
#include <string>

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/randn.h>

namespace sdfleet::kernels {

constexpr std::uint64_t seed = 20'240'229;

inline const at::ScalarType all_types[] = {at::kFloat, at::kHalf, at::kBFloat16};

inline ElementType element_type(at::ScalarType type)
{
    return type == at::kHalf       ? ElementType::float16
           : type == at::kBFloat16 ? ElementType::bfloat16
                                   : ElementType::float32;
}

/// Normally distributed with a mean that is not 0, in `type`.
inline at::Tensor random(at::IntArrayRef shape, at::ScalarType type, double mean = 0.5)
{
    return (at::randn(shape) * 2.0 + mean).to(type);
}

/// That `got` is what `exact` (fp64) becomes when it is computed in fp32 and rounded to got's type once.
inline void check_equal(const at::Tensor& got, const at::Tensor& exact)
{
    REQUIRE(got.sizes() == exact.sizes());
    const double step = got.scalar_type() == at::kHalf       ? 0x1p-11
                        : got.scalar_type() == at::kBFloat16 ? 0x1p-8
                                                             : 0x1p-23;
    const at::Tensor wide = got.to(at::kDouble).contiguous();
    const at::Tensor expected = exact.contiguous();
    for (std::int64_t i = 0; i < wide.numel(); ++i) {
        const double value = wide.const_data_ptr<double>()[i];
        const double should = expected.const_data_ptr<double>()[i];
        if (!(std::fabs(value - should) <= 1.02 * step * std::fabs(should) + 4e-6)) {
            FAIL("seed " << seed << ", " << got.scalar_type() << ' ' << got.sizes() << ", element " << i << ": "
                         << value << " should be " << should);
        }
    }
}

} // namespace sdfleet::kernels
