// SPDX-License-Identifier: Apache-2.0
#include "pipeline/autoencoder_encoder.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/silu.h>

namespace sdfleet::pipeline {

at::Tensor LatentDistribution::sample(const at::Tensor& noise) const
{
    at::Tensor latents = mean + std * noise.to(mean.options());
    if (shift != 0) {
        latents = latents - shift;
    }
    return latents.to(noise.options()) * scale;
}

base::Result<AutoencoderEncoder> AutoencoderEncoder::load(const AutoencoderConfig& config, const WeightFiles& files,
                                                          at::TensorOptions options)
{
    auto weights = Weights::open(files, options);
    if (!weights) {
        return tl::unexpected(weights.error());
    }
    if (!weights->has_prefix("encoder.")) {
        return base::fail(base::ExitCode::bad_input,
                          files.main.string() +
                              ": has no tensors 'encoder.*', so this model cannot start from an image; "
                              "a folder with the whole autoencoder can");
    }
    weights->ignore_prefix("decoder.");
    weights->ignore_prefix("post_quant_conv.");
    const WeightScope root(*weights);
    AutoencoderEncoder model(config);
    model.options_ = options;
    model.load_layers(root["encoder"]);
    if (config.use_quant_conv) {
        model.quant_conv_ = Conv2d::load(root["quant_conv"], 2 * config.latent_channels, 2 * config.latent_channels, 1);
    }
    return weights->finish().map([&] { return std::move(model); });
}

void AutoencoderEncoder::load_layers(const WeightScope& encoder)
{
    const std::vector<std::int64_t>& channels = config_.block_out_channels;
    const ResnetOptions options{config_.norm_num_groups, autoencoder_norm_eps, 0};
    conv_in_ = Conv2d::load(encoder["conv_in"], config_.in_channels, channels.front(), 3, 1, 1);
    std::int64_t in = channels.front();
    for (std::size_t i = 0; i < channels.size(); ++i) {
        const std::int64_t out = channels[i];
        const WeightScope scope = encoder["down_blocks"][i];
        DownBlock block;
        for (std::size_t k = 0; k < static_cast<std::size_t>(config_.layers_per_block); ++k) {
            block.resnets.push_back(ResnetBlock2D::load(scope["resnets"][k], k == 0 ? in : out, out, options));
        }
        if (i + 1 < channels.size()) {
            block.downsampler = Conv2d::load(scope["downsamplers.0.conv"], out, out, 3, 2, 0);
        }
        down_blocks_.push_back(std::move(block));
        in = out;
    }
    mid_block_ = AutoencoderMidBlock::load(encoder["mid_block"], config_);
    conv_norm_out_ =
        GroupNorm::load(encoder["conv_norm_out"], channels.back(), config_.norm_num_groups, autoencoder_norm_eps);
    conv_out_ = Conv2d::load(encoder["conv_out"], channels.back(), 2 * config_.latent_channels, 3, 1, 1);
}

LatentDistribution AutoencoderEncoder::encode(const at::Tensor& image) const
{
    const at::Tensor no_time;
    at::Tensor hidden = conv_in_(image.to(options_));
    for (const DownBlock& block : down_blocks_) {
        for (const ResnetBlock2D& resnet : block.resnets) {
            hidden = resnet(hidden, no_time);
        }
        if (block.downsampler) {
            // padded on the right and below only
            hidden = (*block.downsampler)(at::constant_pad_nd(hidden, {0, 1, 0, 1}));
        }
    }
    hidden = conv_norm_out_(mid_block_(std::move(hidden)));
    hidden = conv_out_(at::silu_(hidden));
    if (quant_conv_) {
        hidden = (*quant_conv_)(hidden);
    }
    const auto halves = hidden.chunk(2, 1);
    constexpr double lowest = -30;
    constexpr double highest = 20;
    return {halves[0], halves[1].clamp(lowest, highest).mul(0.5).exp_(), config_.shift_factor, config_.scaling_factor};
}

} // namespace sdfleet::pipeline
