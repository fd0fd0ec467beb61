// SPDX-License-Identifier: Apache-2.0
#include "pipeline/fast_layers.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/linear.h>

namespace sdfleet::pipeline::fast {

namespace {

/// Without the bias, which the kernel behind adds.
at::Tensor convolve(const Conv2d& conv, const at::Tensor& input)
{
    return at::conv2d(input, conv.weight, {}, conv.stride, conv.padding);
}

/// [N, C, H, W] in channels_last memory as [N, H * W, C]; no copy.
at::Tensor as_tokens(const at::Tensor& image)
{
    return image.permute({0, 2, 3, 1}).flatten(1, 2);
}

/// The way back, of the size of `like`.
at::Tensor as_image(const at::Tensor& tokens, const at::Tensor& like)
{
    return tokens.view({like.size(0), like.size(2), like.size(3), tokens.size(2)}).permute({0, 3, 1, 2});
}

} // namespace

void to_channels_last(at::Tensor& weight)
{
    weight.set_(channels_last(weight));
}

at::Tensor stack_matrices(const std::vector<at::Tensor*>& weights)
{
    std::vector<at::Tensor> parts;
    for (const at::Tensor* weight : weights) {
        parts.push_back(*weight);
    }
    const at::Tensor whole = at::cat(parts, 0);
    std::int64_t row = 0;
    for (at::Tensor* weight : weights) {
        const std::int64_t rows = weight->size(0);
        weight->set_(whole.narrow(0, row, rows));
        row += rows;
    }
    return whole;
}

ResnetBlock::ResnetBlock(const ResnetBlock2D& block) : block_(block)
{
    to_channels_last(block_.conv1.weight);
    to_channels_last(block_.conv2.weight);
    last_bias_ = block_.conv2.bias;
    if (block_.conv_shortcut) {
        to_channels_last(block_.conv_shortcut->weight);
        last_bias_ = last_bias_ + block_.conv_shortcut->bias;
    }
}

at::Tensor ResnetBlock::time_bias(const at::Tensor& time) const
{
    return (*block_.time_emb_proj)(time) + block_.conv1.bias;
}

at::Tensor ResnetBlock::operator()(const FusedOperators& ops, const at::Tensor& input,
                                   const at::Tensor& time_bias) const
{
    constexpr bool silu = true;
    at::Tensor hidden = convolve(block_.conv1, ops.group_norm(input, block_.norm1, silu));
    hidden =
        ops.group_norm(hidden, block_.norm2, silu, time_bias.defined() ? time_bias : block_.conv1.bias.unsqueeze(0));
    hidden = convolve(block_.conv2, hidden);
    const at::Tensor shortcut = block_.conv_shortcut ? convolve(*block_.conv_shortcut, input) : input;
    return ops.add_bias(std::move(hidden), last_bias_, shortcut);
}

TransformerBlock::TransformerBlock(const BasicTransformerBlock& block) : block_(block)
{
    self_qkv_ = stack_matrices({&block_.self_q.weight, &block_.self_k.weight, &block_.self_v.weight});
}

TransformerBlock::Stream TransformerBlock::operator()(const FusedOperators& ops, const Stream& stream,
                                                      const at::Tensor& keys_and_values) const
{
    const std::int64_t channels = stream.hidden.size(2);
    auto normed = ops.layer_norm(stream.hidden, block_.norm1, stream.pending);
    const at::Tensor qkv = at::linear(normed.output, self_qkv_);
    at::Tensor added =
        block_.self_out(ops.attention(qkv.narrow(2, 0, channels), qkv.narrow(2, channels, 2 * channels), block_.heads));
    normed = ops.layer_norm(normed.sum, block_.norm2, added);
    added = block_.cross_out(ops.attention(block_.cross_q(normed.output), keys_and_values, block_.heads));
    normed = ops.layer_norm(normed.sum, block_.norm3, added);
    return {normed.sum, block_.ff_out(ops.geglu(block_.ff_in(normed.output)))};
}

Transformer::Transformer(const Transformer2DModel& model) : model_(model)
{
    for (const BasicTransformerBlock& block : model_.blocks) {
        blocks_.emplace_back(block);
    }
}

at::Tensor Transformer::operator()(const FusedOperators& ops, const at::Tensor& input,
                                   const std::vector<at::Tensor>& context, std::size_t& next) const
{
    const at::Tensor tokens = as_tokens(ops.group_norm(input, model_.norm, false));
    TransformerBlock::Stream stream{model_.proj_in(tokens), {}};
    for (const TransformerBlock& block : blocks_) {
        stream = block(ops, stream, context.at(next++));
    }
    const at::Tensor hidden = ops.add_bias(stream.pending, {}, stream.hidden);
    const at::Tensor projected = at::linear(hidden, model_.proj_out.weight);
    return ops.add_bias(as_image(projected, input), model_.proj_out.bias, input);
}

} // namespace sdfleet::pipeline::fast
