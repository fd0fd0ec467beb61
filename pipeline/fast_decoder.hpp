// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/autoencoder_kl.hpp"
#include "pipeline/fast_layers.hpp"

#include <optional>
#include <vector>

namespace sdfleet::pipeline::fast {

/// AutoencoderKL in fast form. Shares its parameters and rearranges their memory (fast_layers.hpp).
class Decoder {
public:
    Decoder(const AutoencoderKL& model, const FusedOperators& ops);

    /// As AutoencoderKL::decode; the result is in channels_last memory. Can be captured in a graph.
    at::Tensor decode(const at::Tensor& latents) const;

private:
    struct Attention {
        GroupNorm norm;
        at::Tensor qkv_weight; ///< [3 * C, C]
        at::Tensor qkv_bias;   ///< [3 * C]
        Linear to_out;
    };
    struct UpBlock {
        std::vector<ResnetBlock> resnets;
        std::optional<Conv2d> upsampler;
    };
    at::Tensor attend(const Attention& attention, const at::Tensor& input) const;

    AutoencoderConfig config_;
    FusedOperators ops_;
    std::optional<Conv2d> post_quant_conv_;
    Conv2d conv_in_;
    std::vector<ResnetBlock> mid_resnets_;
    std::optional<Attention> mid_attention_;
    std::vector<UpBlock> up_blocks_;
    GroupNorm conv_norm_out_;
    Conv2d conv_out_;
};

} // namespace sdfleet::pipeline::fast
