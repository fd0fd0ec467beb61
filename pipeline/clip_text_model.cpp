// SPDX-License-Identifier: Apache-2.0
#include "pipeline/clip_text_model.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/sigmoid.h>

namespace sdfleet::pipeline {

base::Result<ClipTextModel> ClipTextModel::load(const ClipTextConfig& config, const WeightFiles& files,
                                                at::TensorOptions options)
{
    auto weights = Weights::open(files, options);
    if (!weights) {
        return tl::unexpected(weights.error());
    }
    const WeightScope root =
        weights->has_prefix("text_model.") ? WeightScope(*weights)["text_model"] : WeightScope(*weights);
    // A buffer 0..L-1 that older checkpoints saved beside the parameters.
    weights->ignore_prefix("text_model.embeddings.position_ids");
    weights->ignore_prefix("embeddings.position_ids");
    const std::int64_t c = config.hidden_size;
    ClipTextModel model(config);
    const WeightScope embeddings = root["embeddings"];
    model.token_embedding_ = embeddings["token_embedding"].take("weight", {config.vocab_size, c});
    model.position_embedding_ = embeddings["position_embedding"].take("weight", {config.max_position_embeddings, c});
    for (std::size_t i = 0; i < static_cast<std::size_t>(config.num_hidden_layers); ++i) {
        model.layers_.push_back(model.load_layer(root["encoder"]["layers"][i]));
    }
    model.final_layer_norm_ = LayerNorm::load(root["final_layer_norm"], c, config.layer_norm_eps);
    if (config.projection_dim > 0) {
        model.text_projection_ =
            Linear::load(WeightScope(*weights)["text_projection"], c, config.projection_dim, false);
    }
    model.parameters_ = weights->parameters();
    return weights->finish().map([&] { return std::move(model); });
}

ClipTextModel::Layer ClipTextModel::load_layer(const WeightScope& scope) const
{
    const std::int64_t c = config_.hidden_size;
    const WeightScope attention = scope["self_attn"];
    return Layer{
        LayerNorm::load(scope["layer_norm1"], c, config_.layer_norm_eps),
        Linear::load(attention["q_proj"], c, c),
        Linear::load(attention["k_proj"], c, c),
        Linear::load(attention["v_proj"], c, c),
        Linear::load(attention["out_proj"], c, c),
        LayerNorm::load(scope["layer_norm2"], c, config_.layer_norm_eps),
        Linear::load(scope["mlp"]["fc1"], c, config_.intermediate_size),
        Linear::load(scope["mlp"]["fc2"], config_.intermediate_size, c),
    };
}

at::Tensor ClipTextModel::apply(const Layer& layer, at::Tensor hidden) const
{
    const at::Tensor normed = layer.layer_norm1(hidden);
    hidden = hidden + layer.out_proj(multi_head_attention(layer.q_proj(normed), layer.k_proj(normed),
                                                          layer.v_proj(normed), config_.num_attention_heads, true));
    at::Tensor inner = layer.fc1(layer.layer_norm2(hidden));
    inner = config_.activation == TextActivation::gelu ? at::gelu(inner) : inner * at::sigmoid(1.702 * inner);
    return hidden + layer.fc2(inner);
}

/// The last hidden state where the text ends, projected. Padding may be the same token as the end, so the first counts.
at::Tensor ClipTextModel::pool(const at::Tensor& ids, const at::Tensor& last) const
{
    const bool legacy = config_.eos_token_id == ClipTextConfig::legacy_eos_token_id;
    const at::Tensor ends = legacy ? ids.argmax(-1) : ids.eq(config_.eos_token_id).to(at::kInt).argmax(-1);
    const at::Tensor at_end = ends.view({-1, 1, 1}).expand({-1, 1, last.size(2)});
    return text_projection_(last.gather(1, at_end).squeeze(1));
}

TextOutput ClipTextModel::forward(const at::Tensor& ids, const TextLayer& layer) const
{
    TextOutput output;
    const std::size_t used = layers_.size() - static_cast<std::size_t>(layer.skipped);
    const bool pooled = config_.projection_dim > 0;
    at::Tensor hidden =
        at::embedding(token_embedding_, ids) + position_embedding_.slice(0, 0, ids.size(1)).unsqueeze(0);
    output.hidden = hidden;
    for (std::size_t i = 0; i < (pooled ? layers_.size() : used); ++i) {
        hidden = apply(layers_[i], std::move(hidden));
        output.hidden = i < used ? hidden : output.hidden;
    }
    if (pooled) {
        output.pooled = pool(ids, final_layer_norm_(hidden));
    }
    if (layer.final_norm) {
        output.hidden = final_layer_norm_(output.hidden);
    }
    return output;
}

} // namespace sdfleet::pipeline
