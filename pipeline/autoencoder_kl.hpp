// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "pipeline/autoencoder_config.hpp"
#include "pipeline/autoencoder_mid_block.hpp"
#include "pipeline/layers.hpp"
#include "pipeline/resnet_block.hpp"

#include <optional>
#include <vector>

namespace sdfleet::pipeline {

/// The layers of the decoder, in the order in which latents pass them.
struct DecoderLayers {
    struct UpBlock {
        std::vector<ResnetBlock2D> resnets;
        std::optional<Conv2d> upsampler;
    };
    std::optional<Conv2d> post_quant_conv;
    Conv2d conv_in;
    AutoencoderMidBlock mid_block;
    std::vector<UpBlock> up_blocks;
    GroupNorm conv_norm_out;
    Conv2d conv_out;
};

/// The decoder half of the KL-regularised autoencoder of https://arxiv.org/abs/2112.10752.
class AutoencoderKL {
public:
    /// Encoder tensors in the file are left alone. Both generations of attention names are understood.
    static base::Result<AutoencoderKL> load(const AutoencoderConfig& config, const WeightFiles& weights,
                                            at::TensorOptions options);

    /// latents: [N, latent_channels, h, w] as the UNet leaves them. Returns [N, 3, h * factor, w * factor], about -1..1.
    at::Tensor decode(const at::Tensor& latents) const;

    const AutoencoderConfig& config() const { return config_; }
    const DecoderLayers& layers() const { return layers_; }

private:
    explicit AutoencoderKL(const AutoencoderConfig& config) : config_(config) {}
    void load_decoder(const WeightScope& decoder);

    AutoencoderConfig config_;
    DecoderLayers layers_;
};

} // namespace sdfleet::pipeline
