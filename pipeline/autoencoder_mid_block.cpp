// SPDX-License-Identifier: Apache-2.0
#include "pipeline/autoencoder_mid_block.hpp"

namespace sdfleet::pipeline {

AutoencoderMidBlock AutoencoderMidBlock::load(const WeightScope& mid, const AutoencoderConfig& config)
{
    const std::int64_t channels = config.block_out_channels.back();
    const ResnetOptions options{config.norm_num_groups, autoencoder_norm_eps, 0};
    AutoencoderMidBlock block;
    block.resnets_.push_back(ResnetBlock2D::load(mid["resnets.0"], channels, channels, options));
    block.resnets_.push_back(ResnetBlock2D::load(mid["resnets.1"], channels, channels, options));
    if (config.mid_block_add_attention) {
        const WeightScope scope = mid["attentions.0"];
        block.attention_ = Attention{
            GroupNorm::load(scope["group_norm"], channels, config.norm_num_groups, autoencoder_norm_eps),
            Linear::load(scope.any_of({"to_q", "query"}), channels, channels),
            Linear::load(scope.any_of({"to_k", "key"}), channels, channels),
            Linear::load(scope.any_of({"to_v", "value"}), channels, channels),
            Linear::load(scope.any_of({"to_out.0", "proj_attn"}), channels, channels),
        };
    }
    return block;
}

at::Tensor AutoencoderMidBlock::apply(const Attention& attention, const at::Tensor& input)
{
    // [N, C, H, W] -> [N, H*W, C], one head as wide as the channels
    const at::Tensor tokens = attention.group_norm(input.flatten(2)).transpose(1, 2);
    const at::Tensor mixed =
        multi_head_attention(attention.to_q(tokens), attention.to_k(tokens), attention.to_v(tokens), 1);
    return attention.to_out(mixed).transpose(1, 2).reshape(input.sizes()).add_(input);
}

at::Tensor AutoencoderMidBlock::operator()(at::Tensor hidden) const
{
    const at::Tensor no_time;
    hidden = resnets_[0](hidden, no_time);
    if (attention_) {
        hidden = apply(*attention_, hidden);
    }
    return resnets_[1](hidden, no_time);
}

} // namespace sdfleet::pipeline
