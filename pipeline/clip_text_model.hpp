// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "pipeline/clip_text_config.hpp"
#include "pipeline/layers.hpp"

#include <map>
#include <string>
#include <vector>

namespace sdfleet::pipeline {

/// Which layer's output stands for the text.
struct TextLayer {
    std::int64_t skipped = 0; ///< layers at the end that have no say, at most all of them
    bool final_norm = true;
};

struct TextOutput {
    at::Tensor hidden; ///< [N, L, C]
    at::Tensor pooled; ///< [N, projection_dim], of the last layer whatever was skipped; undefined without a projection
};

/// The text tower of CLIP (https://arxiv.org/abs/2103.00020): a causal pre-norm transformer.
class ClipTextModel {
public:
    /// Reads `weights`; both layouts of names, with and without a leading "text_model.", are understood.
    static base::Result<ClipTextModel> load(const ClipTextConfig& config, const WeightFiles& weights,
                                            at::TensorOptions options);

    /// ids: int64 [N, L] with L <= max_position_embeddings.
    TextOutput forward(const at::Tensor& ids, const TextLayer& layer = {}) const;

    const ClipTextConfig& config() const { return config_; }
    at::Device device() const { return token_embedding_.device(); }                     ///< where forward wants its ids
    const std::map<std::string, at::Tensor>& parameters() const { return parameters_; } ///< as Weights::parameters

private:
    struct Layer {
        LayerNorm layer_norm1;
        Linear q_proj, k_proj, v_proj, out_proj;
        LayerNorm layer_norm2;
        Linear fc1, fc2;
    };

    explicit ClipTextModel(const ClipTextConfig& config) : config_(config) {}
    Layer load_layer(const WeightScope& scope) const;
    at::Tensor apply(const Layer& layer, at::Tensor hidden) const;
    at::Tensor pool(const at::Tensor& ids, const at::Tensor& last) const;

    ClipTextConfig config_;
    std::map<std::string, at::Tensor> parameters_;
    at::Tensor token_embedding_;    ///< [vocab, C]
    at::Tensor position_embedding_; ///< [positions, C]
    std::vector<Layer> layers_;
    LayerNorm final_layer_norm_;
    Linear text_projection_; ///< no weight where the config has no projection
};

} // namespace sdfleet::pipeline
