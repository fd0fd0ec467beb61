// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace sdfleet::pipeline {

/// One resolution level of the UNet, from the finest (index 0) to the coarsest.
struct UNetLevel {
    std::int64_t channels = 320;
    std::int64_t resnets = 2;            ///< on the way down; one more on the way up
    std::int64_t heads = 8;              ///< of each attention
    std::int64_t transformer_layers = 1; ///< of each spatial transformer
    bool attention_down = true;          ///< CrossAttnDownBlock2D, not DownBlock2D
    bool attention_up = true;            ///< CrossAttnUpBlock2D, not UpBlock2D
};

/// unet/config.json of a UNet2DConditionModel, with lists spread over the levels.
struct UNetConfig {
    std::int64_t in_channels = 4;
    std::int64_t out_channels = 4;
    std::array<std::int64_t, 2> sample_size{64, 64}; ///< height, width of the latents it was trained on
    std::vector<UNetLevel> levels;
    std::int64_t cross_attention_dim = 1280;
    std::int64_t norm_num_groups = 32;
    double norm_eps = 1e-5;
    bool use_linear_projection = false;
    bool flip_sin_to_cos = true;
    double freq_shift = 0;
    std::int64_t downsample_padding = 1;
    std::int64_t time_cond_proj_dim = 0;      ///< width of the guidance embedding of a distilled model; 0: none
    bool text_time = false;                   ///< SDXL's added embedding, of the pooled text and the picture's size
    std::int64_t addition_time_embed_dim = 0; ///< width per number, with text_time
    std::int64_t projection_class_embeddings_input_dim = 0; ///< width of the whole, with text_time

    /// An inpainting model: after the latents it takes a mask and the latents of the masked image.
    bool takes_mask() const { return in_channels != out_channels; }
};

/// Fails with ExitCode::bad_input, also for a key that is not null and that this version does not implement.
base::Result<UNetConfig> read_unet_config(const std::filesystem::path& path);

} // namespace sdfleet::pipeline
