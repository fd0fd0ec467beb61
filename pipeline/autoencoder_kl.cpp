// SPDX-License-Identifier: Apache-2.0
#include "pipeline/autoencoder_kl.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/silu.h>

namespace sdfleet::pipeline {

base::Result<AutoencoderKL> AutoencoderKL::load(const AutoencoderConfig& config, const WeightFiles& files,
                                                at::TensorOptions options)
{
    auto weights = Weights::open(files, options);
    if (!weights) {
        return tl::unexpected(weights.error());
    }
    weights->ignore_prefix("encoder.");
    weights->ignore_prefix("quant_conv.");
    const WeightScope root(*weights);
    AutoencoderKL model(config);
    if (config.use_post_quant_conv) {
        model.layers_.post_quant_conv =
            Conv2d::load(root["post_quant_conv"], config.latent_channels, config.latent_channels, 1);
    }
    model.load_decoder(root["decoder"]);
    return weights->finish().map([&] { return std::move(model); });
}

void AutoencoderKL::load_decoder(const WeightScope& decoder)
{
    const std::vector<std::int64_t>& channels = config_.block_out_channels;
    const std::int64_t coarsest = channels.back();
    const ResnetOptions options{config_.norm_num_groups, autoencoder_norm_eps, 0};
    layers_.conv_in = Conv2d::load(decoder["conv_in"], config_.latent_channels, coarsest, 3, 1, 1);
    layers_.mid_block = AutoencoderMidBlock::load(decoder["mid_block"], config_);
    std::int64_t in = coarsest;
    for (std::size_t i = 0; i < channels.size(); ++i) {
        const std::int64_t out = channels[channels.size() - 1 - i];
        const WeightScope scope = decoder["up_blocks"][i];
        DecoderLayers::UpBlock block;
        for (std::size_t k = 0; k < static_cast<std::size_t>(config_.layers_per_block) + 1; ++k) {
            block.resnets.push_back(ResnetBlock2D::load(scope["resnets"][k], k == 0 ? in : out, out, options));
        }
        if (i + 1 < channels.size()) {
            block.upsampler = Conv2d::load(scope["upsamplers.0.conv"], out, out, 3, 1, 1);
        }
        layers_.up_blocks.push_back(std::move(block));
        in = out;
    }
    layers_.conv_norm_out =
        GroupNorm::load(decoder["conv_norm_out"], channels.front(), config_.norm_num_groups, autoencoder_norm_eps);
    layers_.conv_out = Conv2d::load(decoder["conv_out"], channels.front(), config_.out_channels, 3, 1, 1);
}

at::Tensor AutoencoderKL::decode(const at::Tensor& latents) const
{
    at::Tensor hidden = latents / config_.scaling_factor;
    if (config_.shift_factor != 0) {
        hidden = hidden + config_.shift_factor;
    }
    hidden = layers_.conv_in(layers_.post_quant_conv ? (*layers_.post_quant_conv)(hidden) : hidden);
    hidden = layers_.mid_block(std::move(hidden));
    const at::Tensor no_time;
    for (const DecoderLayers::UpBlock& block : layers_.up_blocks) {
        for (const ResnetBlock2D& resnet : block.resnets) {
            hidden = resnet(std::move(hidden), no_time);
        }
        if (block.upsampler) {
            hidden = block.upsampler->of_upsampled(hidden);
        }
    }
    hidden = layers_.conv_norm_out.consume(std::move(hidden));
    return layers_.conv_out(at::silu_(hidden));
}

} // namespace sdfleet::pipeline
