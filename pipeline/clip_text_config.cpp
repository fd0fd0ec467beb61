// SPDX-License-Identifier: Apache-2.0
#include "pipeline/clip_text_config.hpp"

#include "pipeline/config_reader.hpp"

namespace sdfleet::pipeline {

base::Result<ClipTextConfig> read_clip_text_config(const std::filesystem::path& path, TextHead head)
{
    auto reader = ConfigReader::open(path);
    if (!reader) {
        return tl::unexpected(reader.error());
    }
    reader->choice("model_type", "clip_text_model", {"clip_text_model"});
    ClipTextConfig config;
    config.vocab_size = reader->integer("vocab_size", config.vocab_size, 1, 1 << 24);
    config.hidden_size = reader->integer("hidden_size", config.hidden_size, 1, 1 << 16);
    config.intermediate_size = reader->integer("intermediate_size", config.intermediate_size, 1, 1 << 18);
    config.num_hidden_layers = reader->integer("num_hidden_layers", config.num_hidden_layers, 1, 1000);
    config.num_attention_heads = reader->integer("num_attention_heads", config.num_attention_heads, 1, 1 << 16);
    config.max_position_embeddings =
        reader->integer("max_position_embeddings", config.max_position_embeddings, 2, 1 << 16);
    config.layer_norm_eps = reader->number("layer_norm_eps", config.layer_norm_eps);
    const auto activation = reader->choice("hidden_act", "quick_gelu", {"quick_gelu", "gelu"});
    config.activation = activation == "gelu" ? TextActivation::gelu : TextActivation::quick_gelu;
    if (head == TextHead::projection) {
        config.projection_dim = reader->integer("projection_dim", 512, 1, 1 << 16);
        config.eos_token_id = reader->integer("eos_token_id", config.eos_token_id, 0, 1 << 24);
    }
    reader->only("use_attention_mask");
    if (config.hidden_size % config.num_attention_heads != 0) {
        reader->problem("'hidden_size' is not a multiple of 'num_attention_heads'");
    }
    return reader->finish_tolerantly().map([&] { return config; });
}

} // namespace sdfleet::pipeline
