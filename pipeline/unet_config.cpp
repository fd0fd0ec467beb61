// SPDX-License-Identifier: Apache-2.0
#include "pipeline/unet_config.hpp"

#include "pipeline/config_reader.hpp"

namespace sdfleet::pipeline {

namespace {

constexpr std::int64_t max_channels = 1 << 16;

/// A list of one value stands for that value at every level.
std::vector<std::int64_t> spread(ConfigReader& reader, const std::string& key, std::vector<std::int64_t> values,
                                 std::size_t levels)
{
    if (values.size() == 1) {
        values.resize(levels, values.front());
    }
    if (values.size() != levels) {
        reader.problem("'" + key + "' does not have one entry per entry of 'block_out_channels'");
        values.resize(levels, 1);
    }
    return values;
}

/// True per level where the block has attention; `plain` and `attention` are the two known block types.
std::vector<bool> attention_flags(ConfigReader& reader, const std::string& key, std::vector<std::string> fallback,
                                  const std::string& plain, const std::string& attention, std::size_t levels)
{
    const auto types = reader.texts(key, std::move(fallback));
    if (types.size() != levels) {
        reader.problem("'" + key + "' does not have one entry per entry of 'block_out_channels'");
        return std::vector<bool>(levels);
    }
    std::vector<bool> flags;
    for (const std::string& type : types) {
        if (type != plain && type != attention) {
            reader.problem("'" + key + "' names '" + type + "', which this version does not know; it knows: " + plain +
                           ", " + attention);
        }
        flags.push_back(type == attention);
    }
    return flags;
}

void read_levels(ConfigReader& reader, UNetConfig& config)
{
    const auto channels = reader.integers("block_out_channels", {320, 640, 1280, 1280}, 1, max_channels);
    const std::size_t n = channels.size();
    const auto resnets = spread(reader, "layers_per_block", reader.integers("layers_per_block", {2}, 1, 100), n);
    // The published files call the number of heads attention_head_dim; num_attention_heads, where set, wins.
    auto heads = reader.integers("attention_head_dim", {8}, 1, max_channels);
    heads = spread(reader, "attention_head_dim", reader.integers("num_attention_heads", heads, 1, max_channels), n);
    const auto layers =
        spread(reader, "transformer_layers_per_block", reader.integers("transformer_layers_per_block", {1}, 1, 100), n);
    const auto down =
        attention_flags(reader, "down_block_types",
                        {"CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"},
                        "DownBlock2D", "CrossAttnDownBlock2D", n);
    const auto up = attention_flags(reader, "up_block_types",
                                    {"UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"},
                                    "UpBlock2D", "CrossAttnUpBlock2D", n);
    for (std::size_t i = 0; i < n; ++i) {
        config.levels.push_back(UNetLevel{channels[i], resnets[i], heads[i], layers[i], down[i], up[n - 1 - i]});
        if (channels[i] % config.norm_num_groups != 0 || channels[i] % heads[i] != 0) {
            reader.problem("'block_out_channels' holds " + std::to_string(channels[i]) +
                           ", which 'norm_num_groups' or the number of attention heads does not divide");
        }
    }
}

/// What later versions of the architecture added and this one does not compute.
void refuse_unknown_variants(ConfigReader& reader)
{
    reader.choice("act_fn", "silu", {"silu", "swish"});
    reader.choice("mid_block_type", "UNetMidBlock2DCrossAttn", {"UNetMidBlock2DCrossAttn"});
    reader.choice("resnet_time_scale_shift", "default", {"default"});
    reader.choice("attention_type", "default", {"default"});
    reader.choice("time_embedding_type", "positional", {"positional"});
    reader.only("conv_in_kernel", {"3"});
    reader.only("conv_out_kernel", {"3"});
    reader.only("mid_block_scale_factor", {"1", "1.0"});
    reader.only("resnet_out_scale_factor", {"1", "1.0"});
    for (const char* key :
         {"center_input_sample", "class_embed_type", "class_embeddings_concat", "cross_attention_norm",
          "dual_cross_attention", "encoder_hid_dim", "encoder_hid_dim_type", "mid_block_only_cross_attention",
          "num_class_embeds", "only_cross_attention", "resnet_skip_time_act", "reverse_transformer_layers_per_block",
          "time_embedding_act_fn", "time_embedding_dim", "timestep_post_act"}) {
        reader.only(key);
    }
    // Heads of an added embedding that is refused; dropout acts in training only; upcast_attention asks for the softmax
    // in float, which the attention used here does for every type.
    reader.ignore({"addition_embed_type_num_heads", "dropout", "upcast_attention"});
}

/// What is embedded besides the time.
void read_added_embeddings(ConfigReader& reader, UNetConfig& config)
{
    constexpr std::int64_t smallest_guidance_embedding = 4; // its frequencies divide by the number of waves minus 1
    config.time_cond_proj_dim = reader.integer("time_cond_proj_dim", 0, smallest_guidance_embedding, max_channels);
    config.text_time = reader.has("addition_embed_type");
    reader.choice("addition_embed_type", "text_time", {"text_time"});
    if (!config.text_time) {
        reader.ignore({"addition_time_embed_dim", "projection_class_embeddings_input_dim"});
        return;
    }
    for (const char* key : {"addition_time_embed_dim", "projection_class_embeddings_input_dim"}) {
        if (!reader.has(key)) {
            reader.problem("'addition_embed_type' is text_time, but '" + std::string(key) + "' is missing");
        }
    }
    config.addition_time_embed_dim = reader.integer("addition_time_embed_dim", 1, 1, max_channels);
    config.projection_class_embeddings_input_dim =
        reader.integer("projection_class_embeddings_input_dim", 1, 1, 16 * max_channels);
}

} // namespace

base::Result<UNetConfig> read_unet_config(const std::filesystem::path& path)
{
    auto reader = ConfigReader::open(path);
    if (!reader) {
        return tl::unexpected(reader.error());
    }
    UNetConfig config;
    config.in_channels = reader->integer("in_channels", 4, 1, max_channels);
    config.out_channels = reader->integer("out_channels", 4, 1, max_channels);
    const auto size = reader->integers("sample_size", {64}, 1, 4096);
    config.sample_size = {size.front(), size.back()};
    config.cross_attention_dim = reader->integer("cross_attention_dim", 1280, 1, max_channels);
    config.norm_num_groups = reader->integer("norm_num_groups", 32, 1, max_channels);
    config.norm_eps = reader->number("norm_eps", 1e-5);
    config.use_linear_projection = reader->boolean("use_linear_projection", false);
    config.flip_sin_to_cos = reader->boolean("flip_sin_to_cos", true);
    config.freq_shift = reader->number("freq_shift", 0);
    config.downsample_padding = reader->integer("downsample_padding", 1, 1, 1);
    read_levels(*reader, config);
    read_added_embeddings(*reader, config);
    refuse_unknown_variants(*reader);
    if (config.takes_mask() && config.in_channels != 2 * config.out_channels + 1) {
        reader->problem(
            "'in_channels' is neither 'out_channels' nor what an inpainting model has (9 for 4): another kind "
            "of model, which is not supported");
    }
    return reader->finish().map([&] { return config; });
}

} // namespace sdfleet::pipeline
