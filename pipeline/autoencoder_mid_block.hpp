// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/autoencoder_config.hpp"
#include "pipeline/layers.hpp"
#include "pipeline/resnet_block.hpp"

#include <optional>
#include <vector>

namespace sdfleet::pipeline {

/// Fixed in this architecture, encoder and decoder.
inline constexpr double autoencoder_norm_eps = 1e-6;

/// The coarsest level of the autoencoder's two halves: a residual block, attention over all positions, a residual block.
class AutoencoderMidBlock {
public:
    AutoencoderMidBlock() = default; ///< computes nothing until it is loaded

    /// Both generations of attention names are understood.
    static AutoencoderMidBlock load(const WeightScope& scope, const AutoencoderConfig& config);

    at::Tensor operator()(at::Tensor hidden) const;

    /// One head as wide as the channels, over the tokens of a group-normed image, added to it.
    struct Attention {
        GroupNorm group_norm;
        Linear to_q, to_k, to_v, to_out;
    };

    const std::vector<ResnetBlock2D>& resnets() const { return resnets_; } ///< two, with the attention between them
    const std::optional<Attention>& attention() const { return attention_; }

private:
    static at::Tensor apply(const Attention& attention, const at::Tensor& input);

    std::vector<ResnetBlock2D> resnets_; ///< two
    std::optional<Attention> attention_;
};

} // namespace sdfleet::pipeline
