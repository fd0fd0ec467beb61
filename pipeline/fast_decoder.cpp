// SPDX-License-Identifier: Apache-2.0
#include "pipeline/fast_decoder.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linear.h>

namespace sdfleet::pipeline::fast {

Decoder::Decoder(const AutoencoderKL& model, const FusedOperators& ops)
    : config_(model.config()), ops_(ops), post_quant_conv_(model.layers().post_quant_conv),
      conv_in_(model.layers().conv_in), conv_norm_out_(model.layers().conv_norm_out), conv_out_(model.layers().conv_out)
{
    to_channels_last(conv_in_.weight);
    to_channels_last(conv_out_.weight);
    const AutoencoderMidBlock& mid = model.layers().mid_block;
    for (const ResnetBlock2D& resnet : mid.resnets()) {
        mid_resnets_.emplace_back(resnet);
    }
    if (const auto& attention = mid.attention()) {
        AutoencoderMidBlock::Attention own = *attention;
        mid_attention_ =
            Attention{own.group_norm, stack_matrices({&own.to_q.weight, &own.to_k.weight, &own.to_v.weight}),
                      at::cat({own.to_q.bias, own.to_k.bias, own.to_v.bias}), own.to_out};
    }
    for (const DecoderLayers::UpBlock& block : model.layers().up_blocks) {
        UpBlock made;
        for (const ResnetBlock2D& resnet : block.resnets) {
            made.resnets.emplace_back(resnet);
        }
        if (block.upsampler) {
            made.upsampler = block.upsampler;
            to_channels_last(made.upsampler->weight);
        }
        up_blocks_.push_back(std::move(made));
    }
}

at::Tensor Decoder::attend(const Attention& own, const at::Tensor& input) const
{
    const std::int64_t channels = input.size(1);
    const at::Tensor tokens = ops_.group_norm(input, own.norm, false).permute({0, 2, 3, 1}).flatten(1, 2);
    const at::Tensor qkv = at::linear(tokens, own.qkv_weight, own.qkv_bias);
    const at::Tensor mixed = ops_.attention(qkv.narrow(2, 0, channels), qkv.narrow(2, channels, 2 * channels), 1);
    const at::Tensor projected = at::linear(mixed, own.to_out.weight);
    const at::Tensor image =
        projected.view({input.size(0), input.size(2), input.size(3), channels}).permute({0, 3, 1, 2});
    return ops_.add_bias(image, own.to_out.bias, input);
}

at::Tensor Decoder::decode(const at::Tensor& latents) const
{
    const at::Tensor no_time;
    at::Tensor hidden = latents / config_.scaling_factor;
    if (config_.shift_factor != 0) {
        hidden = hidden + config_.shift_factor;
    }
    hidden = channels_last(conv_in_(channels_last(post_quant_conv_ ? (*post_quant_conv_)(hidden) : hidden)));
    hidden = mid_resnets_[0](ops_, hidden, no_time);
    if (mid_attention_) {
        hidden = attend(*mid_attention_, hidden);
    }
    hidden = mid_resnets_[1](ops_, hidden, no_time);
    for (const UpBlock& block : up_blocks_) {
        for (const ResnetBlock& resnet : block.resnets) {
            hidden = resnet(ops_, hidden, no_time);
        }
        if (block.upsampler) {
            constexpr std::int64_t twice = 2;
            const at::Tensor larger = ops_.upsample(hidden, twice * hidden.size(2), twice * hidden.size(3));
            hidden = channels_last((*block.upsampler)(larger));
        }
    }
    return channels_last(conv_out_(ops_.group_norm(hidden, conv_norm_out_, true)));
}

} // namespace sdfleet::pipeline::fast
