// SPDX-License-Identifier: Apache-2.0
#include "pipeline/layers.hpp"

#include <algorithm>
#include <optional>

#include <ATen/ops/baddbmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/upsample_nearest2d.h>

namespace sdfleet::pipeline {

Linear Linear::load(const WeightScope& scope, std::int64_t in, std::int64_t out, bool with_bias)
{
    return Linear{scope.take("weight", {out, in}), with_bias ? scope.take("bias", {out}) : at::Tensor()};
}

at::Tensor Linear::operator()(const at::Tensor& input) const
{
    return at::linear(input, weight, bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt);
}

namespace {

/// Inputs on the CPU with more numbers than this are worked on in strips.
constexpr std::int64_t max_whole_input = std::int64_t{1} << 23;

/// at::conv2d of a 3x3 kernel with padding 1, of `input` made `scale` times as large (nearest), a strip of rows at a time:
/// the library reorders its whole input and output into copies of its own, which for the last layers of an autoencoder is
/// most of the memory that a picture takes.
at::Tensor convolve_in_strips(const Conv2d& conv, const at::Tensor& input, std::int64_t scale)
{
    const std::int64_t height = input.size(2);
    const std::int64_t width = scale * input.size(3);
    const std::int64_t rows = std::max<std::int64_t>(height * max_whole_input / (scale * scale * input.numel()) / 2, 8);
    at::Tensor output = at::empty({input.size(0), conv.weight.size(0), scale * height, width}, input.options());
    for (std::int64_t row = 0; row < height; row += rows) {
        // With a neighbouring row on either side; what is computed for these two lacks its own neighbours and is left out.
        const std::int64_t begin = std::max<std::int64_t>(row - 1, 0);
        const std::int64_t end = std::min(row + rows, height);
        at::Tensor strip = input.slice(2, begin, std::min(end + 1, height));
        if (scale > 1) {
            strip = at::upsample_nearest2d(strip, {scale * strip.size(2), width});
        }
        const at::Tensor result = at::conv2d(strip, conv.weight, conv.bias, 1, 1);
        output.slice(2, scale * row, scale * end).copy_(result.slice(2, scale * (row - begin), scale * (end - begin)));
    }
    return output;
}

/// On a GPU the library's algorithms are implicit and copy nothing: strips would only be more launches.
bool needs_strips(const at::Tensor& input, std::int64_t scale)
{
    return input.is_cpu() && scale * scale * input.numel() > max_whole_input;
}

/// Large, and nobody else looks at its memory.
bool may_be_overwritten(const at::Tensor& tensor)
{
    return tensor.is_cpu() && tensor.numel() > max_whole_input && tensor.use_count() == 1 &&
           tensor.storage().use_count() == 1;
}

/// convolve_in_strips at scale 1, with the result in the first channels of the input's own memory.
at::Tensor convolve_in_place(const Conv2d& conv, const at::Tensor& input)
{
    const std::int64_t height = input.size(2);
    const std::int64_t rows = std::max<std::int64_t>(height * max_whole_input / input.numel() / 2, 8);
    at::Tensor output = input.narrow(1, 0, conv.weight.size(0));
    at::Tensor above; // the row before the strip, as it was before its result was written over it
    for (std::int64_t row = 0; row < height; row += rows) {
        const std::int64_t end = std::min(row + rows, height);
        at::Tensor strip = input.slice(2, row, std::min(end + 1, height));
        if (above.defined()) {
            strip = at::cat({above, strip}, 2);
        }
        const at::Tensor result = at::conv2d(strip, conv.weight, conv.bias, 1, 1);
        above = input.slice(2, end - 1, end).clone();
        output.slice(2, row, end).copy_(result.slice(2, row > 0 ? 1 : 0, end - row + (row > 0 ? 1 : 0)));
    }
    return output;
}

} // namespace

Conv2d Conv2d::load(const WeightScope& scope, std::int64_t in, std::int64_t out, std::int64_t kernel,
                    std::int64_t stride, std::int64_t padding)
{
    return Conv2d{scope.take("weight", {out, in, kernel, kernel}), scope.take("bias", {out}), stride, padding};
}

at::Tensor Conv2d::operator()(const at::Tensor& input) const
{
    const bool pointwise = weight.size(2) == 1 && weight.size(3) == 1 && stride == 1 && padding == 0;
    if (needs_strips(input, 1) && weight.size(2) == 3 && stride == 1 && padding == 1) {
        return convolve_in_strips(*this, input, 1);
    }
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

at::Tensor Conv2d::consume(at::Tensor input) const
{
    const bool same_size = weight.size(2) == 3 && stride == 1 && padding == 1;
    if (same_size && input.size(0) == 1 && weight.size(0) <= input.size(1) && may_be_overwritten(input)) {
        return convolve_in_place(*this, input);
    }
    return (*this)(input);
}

at::Tensor Conv2d::of_upsampled(const at::Tensor& input) const
{
    constexpr std::int64_t twice = 2;
    if (needs_strips(input, twice)) {
        return convolve_in_strips(*this, input, twice);
    }
    return (*this)(at::upsample_nearest2d(input, {twice * input.size(2), twice * input.size(3)}));
}

GroupNorm GroupNorm::load(const WeightScope& scope, std::int64_t channels, std::int64_t groups, double eps)
{
    return GroupNorm{scope.take("weight", {channels}), scope.take("bias", {channels}), groups, eps};
}

at::Tensor GroupNorm::operator()(const at::Tensor& input) const
{
    return at::group_norm(input, groups, weight, bias, eps);
}

at::Tensor GroupNorm::consume(at::Tensor input) const
{
    if (!may_be_overwritten(input)) {
        return (*this)(input);
    }
    const std::int64_t channels = input.size(1) / groups;
    for (std::int64_t first = 0; first < input.size(1); first += channels) {
        at::Tensor group = input.narrow(1, first, channels);
        group.copy_(at::group_norm(group, 1, weight.narrow(0, first, channels), bias.narrow(0, first, channels), eps));
    }
    return input;
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
