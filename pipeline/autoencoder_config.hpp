// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <vector>

namespace sdfleet::pipeline {

/// vae/config.json of an AutoencoderKL.
struct AutoencoderConfig {
    std::vector<std::int64_t> block_out_channels{64}; ///< from the finest level to the coarsest
    std::int64_t layers_per_block = 1;                ///< of the encoder; the decoder has one more
    std::int64_t latent_channels = 4;
    std::int64_t in_channels = 3; ///< of pictures
    std::int64_t out_channels = 3;
    std::int64_t norm_num_groups = 32;
    double scaling_factor = 0.18215; ///< latents that the UNet sees = (encoded - shift_factor) * scaling_factor
    double shift_factor = 0;
    bool use_quant_conv = true; ///< the encoder's last layer
    bool use_post_quant_conv = true;
    bool mid_block_add_attention = true;
    bool force_upcast = true; ///< half precision overflows in this decoder: run it in fp32

    /// Pixels per latent, along one side.
    std::int64_t scale_factor() const { return std::int64_t{1} << (block_out_channels.size() - 1); }
};

/// Fails with ExitCode::bad_input, also for a key that is not null and that this version does not implement.
base::Result<AutoencoderConfig> read_autoencoder_config(const std::filesystem::path& path);

} // namespace sdfleet::pipeline
