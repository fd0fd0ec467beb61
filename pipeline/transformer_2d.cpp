// SPDX-License-Identifier: Apache-2.0
#include "pipeline/transformer_2d.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/gelu.h>

namespace sdfleet::pipeline {

namespace {

constexpr double group_norm_eps = 1e-6; // of the published models; the residual blocks around it use another
constexpr double layer_norm_eps = 1e-5;

/// A 1x1 convolution is a linear layer over the channels, so its weight may be read as one.
Linear load_projection(const WeightScope& scope, std::int64_t channels, bool linear)
{
    if (linear) {
        return Linear::load(scope, channels, channels);
    }
    Linear projection{scope.take("weight", {channels, channels, 1, 1}), scope.take("bias", {channels})};
    if (projection.weight.defined()) {
        projection.weight = projection.weight.view({channels, channels});
    }
    return projection;
}

} // namespace

BasicTransformerBlock BasicTransformerBlock::load(const WeightScope& scope, std::int64_t channels,
                                                  const TransformerOptions& options)
{
    BasicTransformerBlock block;
    const std::int64_t c = channels;
    const std::int64_t text = options.context_channels;
    block.heads = options.heads;
    block.norm1 = LayerNorm::load(scope["norm1"], c, layer_norm_eps);
    block.self_q = Linear::load(scope["attn1"]["to_q"], c, c, false);
    block.self_k = Linear::load(scope["attn1"]["to_k"], c, c, false);
    block.self_v = Linear::load(scope["attn1"]["to_v"], c, c, false);
    block.self_out = Linear::load(scope["attn1"]["to_out.0"], c, c);
    block.norm2 = LayerNorm::load(scope["norm2"], c, layer_norm_eps);
    block.cross_q = Linear::load(scope["attn2"]["to_q"], c, c, false);
    block.cross_k = Linear::load(scope["attn2"]["to_k"], text, c, false);
    block.cross_v = Linear::load(scope["attn2"]["to_v"], text, c, false);
    block.cross_out = Linear::load(scope["attn2"]["to_out.0"], c, c);
    block.norm3 = LayerNorm::load(scope["norm3"], c, layer_norm_eps);
    block.ff_in = Linear::load(scope["ff.net.0.proj"], c, 8 * c);
    block.ff_out = Linear::load(scope["ff.net.2"], 4 * c, c);
    return block;
}

KeyValue BasicTransformerBlock::keys_and_values(const at::Tensor& text) const
{
    return KeyValue{cross_k(text), cross_v(text)};
}

at::Tensor BasicTransformerBlock::operator()(at::Tensor hidden, const KeyValue& context) const
{
    at::Tensor normed = norm1(hidden);
    hidden = self_out(multi_head_attention(self_q(normed), self_k(normed), self_v(normed), heads)).add_(hidden);
    normed = norm2(hidden);
    hidden = cross_out(multi_head_attention(cross_q(normed), context.key, context.value, heads)).add_(hidden);
    const auto value_and_gate = ff_in(norm3(hidden)).chunk(2, -1);
    return ff_out(at::gelu(value_and_gate[1]).mul_(value_and_gate[0])).add_(hidden);
}

Transformer2DModel Transformer2DModel::load(const WeightScope& scope, std::int64_t channels,
                                            const TransformerOptions& options)
{
    Transformer2DModel model;
    model.norm = GroupNorm::load(scope["norm"], channels, options.groups, group_norm_eps);
    model.proj_in = load_projection(scope["proj_in"], channels, options.linear_projection);
    for (std::size_t i = 0; i < static_cast<std::size_t>(options.layers); ++i) {
        model.blocks.push_back(BasicTransformerBlock::load(scope["transformer_blocks"][i], channels, options));
    }
    model.proj_out = load_projection(scope["proj_out"], channels, options.linear_projection);
    return model;
}

void Transformer2DModel::append_keys_and_values(const at::Tensor& text, std::vector<KeyValue>& context) const
{
    for (const BasicTransformerBlock& block : blocks) {
        context.push_back(block.keys_and_values(text));
    }
}

at::Tensor Transformer2DModel::operator()(const at::Tensor& input, const std::vector<KeyValue>& context,
                                          std::size_t& next) const
{
    // [N, C, H, W] -> [N, H*W, C]
    at::Tensor hidden = norm(input).flatten(2).transpose(1, 2);
    hidden = proj_in(hidden);
    for (const BasicTransformerBlock& block : blocks) {
        hidden = block(std::move(hidden), context.at(next++));
    }
    return input + proj_out(hidden).transpose(1, 2).reshape(input.sizes());
}

} // namespace sdfleet::pipeline
