// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <filesystem>

namespace sdfleet::pipeline {

enum class TextActivation { quick_gelu, gelu };

/// text_encoder/config.json of a CLIP text model; a missing key has the default of the library that wrote the file.
struct ClipTextConfig {
    std::int64_t vocab_size = 49408;
    std::int64_t hidden_size = 512;
    std::int64_t intermediate_size = 2048;
    std::int64_t num_hidden_layers = 12;
    std::int64_t num_attention_heads = 8;
    std::int64_t max_position_embeddings = 77;
    double layer_norm_eps = 1e-5;
    TextActivation activation = TextActivation::quick_gelu;
    std::int64_t projection_dim = 0; ///< width of the pooled text; 0: no projection, as in a plain CLIPTextModel
    std::int64_t eos_token_id = 49407;

    /// The value of old files, which is no token's: the text then ends at its largest id.
    static constexpr std::int64_t legacy_eos_token_id = 2;
};

enum class TextHead { none, projection }; ///< CLIPTextModel, CLIPTextModelWithProjection

/// Fails with ExitCode::bad_input. Keys that are not named above are let pass: these files carry dozens of general ones
/// (generation settings, labels) that do not change what a text model computes.
base::Result<ClipTextConfig> read_clip_text_config(const std::filesystem::path& path, TextHead head = TextHead::none);

} // namespace sdfleet::pipeline
