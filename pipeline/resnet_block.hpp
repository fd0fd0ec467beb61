// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/layers.hpp"

#include <optional>

namespace sdfleet::pipeline {

/// What a residual block needs to know besides its channel counts.
struct ResnetOptions {
    std::int64_t groups = 32;
    double eps = 1e-5;
    std::int64_t time_channels = 0; ///< 0: the block takes no time embedding (autoencoder)
};

/// GroupNorm, SiLU, 3x3 convolution, twice, around a shortcut (https://arxiv.org/abs/1512.03385, pre-activation form).
struct ResnetBlock2D {
    GroupNorm norm1;
    Conv2d conv1;
    std::optional<Linear> time_emb_proj;
    GroupNorm norm2;
    Conv2d conv2;
    std::optional<Conv2d> conv_shortcut; ///< 1x1, where the channel counts differ

    static ResnetBlock2D load(const WeightScope& scope, std::int64_t in, std::int64_t out,
                              const ResnetOptions& options);

    /// `time` is SiLU of the time embedding, [N or 1, time_channels]; undefined for a block without one.
    /// An `input` that nobody else holds is given up as soon as it can be.
    at::Tensor operator()(at::Tensor input, const at::Tensor& time) const;
};

} // namespace sdfleet::pipeline
