// SPDX-License-Identifier: Apache-2.0
#include "pipeline/layers.hpp"

#include <optional>

#include <ATen/ops/baddbmm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/scaled_dot_product_attention.h>

namespace sdfleet::pipeline {

Linear Linear::load(const WeightScope& scope, std::int64_t in, std::int64_t out, bool with_bias)
{
    return Linear{scope.take("weight", {out, in}), with_bias ? scope.take("bias", {out}) : at::Tensor()};
}

at::Tensor Linear::operator()(const at::Tensor& input) const
{
    return at::linear(input, weight, bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt);
}

Conv2d Conv2d::load(const WeightScope& scope, std::int64_t in, std::int64_t out, std::int64_t kernel,
                    std::int64_t stride, std::int64_t padding)
{
    return Conv2d{scope.take("weight", {out, in, kernel, kernel}), scope.take("bias", {out}), stride, padding};
}

at::Tensor Conv2d::operator()(const at::Tensor& input) const
{
    const bool pointwise = weight.size(2) == 1 && weight.size(3) == 1 && stride == 1 && padding == 0;
    if (!pointwise) {
        return at::conv2d(input, weight, bias, stride, padding);
    }
    // As a matrix product: for 1x1 kernels conv2d picks its algorithm by the number of threads, and with it the last bits
    // of the result; the product's bits do not depend on it.
    const std::int64_t out = weight.size(0);
    const at::Tensor matrix = weight.view({1, out, -1}).expand({input.size(0), -1, -1});
    return at::baddbmm(bias.view({1, out, 1}), matrix, input.flatten(2))
        .view({input.size(0), out, input.size(2), input.size(3)});
}

GroupNorm GroupNorm::load(const WeightScope& scope, std::int64_t channels, std::int64_t groups, double eps)
{
    return GroupNorm{scope.take("weight", {channels}), scope.take("bias", {channels}), groups, eps};
}

at::Tensor GroupNorm::operator()(const at::Tensor& input) const
{
    return at::group_norm(input, groups, weight, bias, eps);
}

LayerNorm LayerNorm::load(const WeightScope& scope, std::int64_t features, double eps)
{
    return LayerNorm{scope.take("weight", {features}), scope.take("bias", {features}), eps};
}

at::Tensor LayerNorm::operator()(const at::Tensor& input) const
{
    return at::layer_norm(input, weight.sizes(), weight, bias, eps);
}

at::Tensor multi_head_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                                std::int64_t heads, bool causal)
{
    const auto split = [heads](const at::Tensor& t) {
        return t.view({t.size(0), t.size(1), heads, t.size(2) / heads}).transpose(1, 2);
    };
    const at::Tensor mixed =
        at::scaled_dot_product_attention(split(query), split(key), split(value), std::nullopt, 0.0, causal);
    return mixed.transpose(1, 2).reshape(query.sizes());
}

} // namespace sdfleet::pipeline
