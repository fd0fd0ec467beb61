// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "pipeline/autoencoder_config.hpp"
#include "pipeline/autoencoder_mid_block.hpp"

#include <optional>
#include <vector>

namespace sdfleet::pipeline {

/// What an image may be encoded to: a normal distribution per latent.
struct LatentDistribution {
    at::Tensor mean; ///< [1, latent_channels, h, w]
    at::Tensor std;  ///< the same
    double shift = 0;
    double scale = 1;

    /// Latents as the UNet sees them; `noise` is unit noise of the same shape, and of the result's type and device.
    at::Tensor sample(const at::Tensor& noise) const;
};

/// The encoder half of an AutoencoderKL: from an image to latents. Only requests that bring an image need it.
class AutoencoderEncoder {
public:
    /// Decoder tensors in the file are left alone. A file without an encoder is an error of ExitCode::bad_input.
    static base::Result<AutoencoderEncoder> load(const AutoencoderConfig& config, const WeightFiles& weights,
                                                 at::TensorOptions options);

    /// image: [1, 3, H, W], -1..1, both sides multiples of the scale factor.
    LatentDistribution encode(const at::Tensor& image) const;

private:
    struct DownBlock {
        std::vector<ResnetBlock2D> resnets;
        std::optional<Conv2d> downsampler;
    };

    explicit AutoencoderEncoder(const AutoencoderConfig& config) : config_(config) {}
    void load_layers(const WeightScope& encoder);

    AutoencoderConfig config_;
    at::TensorOptions options_;
    Conv2d conv_in_;
    std::vector<DownBlock> down_blocks_;
    AutoencoderMidBlock mid_block_;
    GroupNorm conv_norm_out_;
    Conv2d conv_out_;
    std::optional<Conv2d> quant_conv_;
};

} // namespace sdfleet::pipeline
