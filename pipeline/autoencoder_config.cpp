// SPDX-License-Identifier: Apache-2.0
#include "pipeline/autoencoder_config.hpp"

#include "pipeline/config_reader.hpp"

#include <algorithm>

namespace sdfleet::pipeline {

namespace {

void check_block_types(ConfigReader& reader, const std::string& key, const std::string& known)
{
    for (const std::string& type : reader.texts(key, {known})) {
        if (type != known) {
            reader.problem("'" + key + "' names '" + type + "'; this version knows: " + known);
        }
    }
}

} // namespace

base::Result<AutoencoderConfig> read_autoencoder_config(const std::filesystem::path& path)
{
    auto reader = ConfigReader::open(path);
    if (!reader) {
        return tl::unexpected(reader.error());
    }
    constexpr std::int64_t max_channels = 1 << 16;
    AutoencoderConfig config;
    config.block_out_channels = reader->integers("block_out_channels", {64}, 1, max_channels);
    config.layers_per_block = reader->integer("layers_per_block", 1, 1, 100);
    config.latent_channels = reader->integer("latent_channels", 4, 1, max_channels);
    config.in_channels = reader->integer("in_channels", 3, 3, 3);
    config.out_channels = reader->integer("out_channels", 3, 3, 3);
    config.norm_num_groups = reader->integer("norm_num_groups", 32, 1, max_channels);
    config.scaling_factor = reader->number("scaling_factor", 0.18215);
    config.shift_factor = reader->number("shift_factor", 0);
    config.use_quant_conv = reader->boolean("use_quant_conv", true);
    config.use_post_quant_conv = reader->boolean("use_post_quant_conv", true);
    config.mid_block_add_attention = reader->boolean("mid_block_add_attention", true);
    config.force_upcast = reader->boolean("force_upcast", true);
    check_block_types(*reader, "up_block_types", "UpDecoderBlock2D");
    check_block_types(*reader, "down_block_types", "DownEncoderBlock2D");
    const auto divides = [&](std::int64_t channels) { return channels % config.norm_num_groups == 0; };
    if (!std::all_of(config.block_out_channels.begin(), config.block_out_channels.end(), divides)) {
        reader->problem("'norm_num_groups' does not divide every entry of 'block_out_channels'");
    }
    if (config.block_out_channels.size() > 8 || config.scaling_factor == 0) {
        reader->problem("'block_out_channels' has more than 8 entries, or 'scaling_factor' is 0");
    }
    reader->choice("act_fn", "silu", {"silu", "swish"});
    reader->only("latents_mean");
    reader->only("latents_std");
    reader->ignore({"sample_size"}); // what it was trained on
    return reader->finish().map([&] { return config; });
}

} // namespace sdfleet::pipeline
