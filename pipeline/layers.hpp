// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/weights.hpp"

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace sdfleet::pipeline {

/// The layers that every model here is made of: parameters and how to apply them, nothing else. Images are [N, C, H, W].

struct Linear {
    at::Tensor weight; ///< [out, in]
    at::Tensor bias;   ///< [out], or undefined

    static Linear load(const WeightScope& scope, std::int64_t in, std::int64_t out, bool with_bias = true);
    at::Tensor operator()(const at::Tensor& input) const;
};

struct Conv2d {
    at::Tensor weight; ///< [out, in, kernel, kernel]
    at::Tensor bias;   ///< [out]
    std::int64_t stride = 1;
    std::int64_t padding = 0;

    static Conv2d load(const WeightScope& scope, std::int64_t in, std::int64_t out, std::int64_t kernel,
                       std::int64_t stride = 1, std::int64_t padding = 0);
    at::Tensor operator()(const at::Tensor& input) const;

    /// The same; the memory of a large `input` that nobody else holds becomes that of the result.
    at::Tensor consume(at::Tensor input) const;

    /// Of `input` made twice as large, each pixel four times. For a 3x3 kernel with stride 1 and padding 1.
    at::Tensor of_upsampled(const at::Tensor& input) const;
};

struct GroupNorm {
    at::Tensor weight; ///< [channels]
    at::Tensor bias;   ///< [channels]
    std::int64_t groups = 1;
    double eps = 0;

    static GroupNorm load(const WeightScope& scope, std::int64_t channels, std::int64_t groups, double eps);
    at::Tensor operator()(const at::Tensor& input) const;

    /// The same; a large `input` that nobody else holds is overwritten instead of a second one made.
    at::Tensor consume(at::Tensor input) const;
};

struct LayerNorm {
    at::Tensor weight; ///< [features]
    at::Tensor bias;   ///< [features]
    double eps = 0;

    static LayerNorm load(const WeightScope& scope, std::int64_t features, double eps);
    at::Tensor operator()(const at::Tensor& input) const;
};

/// Attention of `heads` heads on [N, tokens, heads * d] projections; the result has the shape of `query`.
at::Tensor multi_head_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                                std::int64_t heads, bool causal = false);

} // namespace sdfleet::pipeline
