// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/layers.hpp"

#include <vector>

namespace sdfleet::pipeline {

/// Keys and values of one cross-attention for a given prompt. They depend on the text alone, so a picture computes them
/// once and uses them in every step.
struct KeyValue {
    at::Tensor key;   ///< [N, text length, C]
    at::Tensor value; ///< [N, text length, C]
};

struct TransformerOptions {
    std::int64_t heads = 8;
    std::int64_t layers = 1;
    std::int64_t context_channels = 768; ///< width of the text embeddings
    std::int64_t groups = 32;
    bool linear_projection = false; ///< proj_in and proj_out are linear layers, not 1x1 convolutions
};

/// Self-attention, cross-attention to the text and a gated MLP (GEGLU, https://arxiv.org/abs/2002.05202), each
/// pre-normed with a residual.
struct BasicTransformerBlock {
    std::int64_t heads = 1;
    LayerNorm norm1;
    Linear self_q, self_k, self_v, self_out;
    LayerNorm norm2;
    Linear cross_q, cross_k, cross_v, cross_out;
    LayerNorm norm3;
    Linear ff_in, ff_out; ///< ff_in gives value and gate side by side

    static BasicTransformerBlock load(const WeightScope& scope, std::int64_t channels,
                                      const TransformerOptions& options);
    KeyValue keys_and_values(const at::Tensor& text) const;
    at::Tensor operator()(at::Tensor hidden, const KeyValue& context) const;
};

/// Spatial transformer: the pixels of [N, C, H, W] become tokens, pass the blocks, and are added to the input.
struct Transformer2DModel {
    GroupNorm norm;
    Linear proj_in; ///< also where the checkpoint has a 1x1 convolution: the same matrix
    std::vector<BasicTransformerBlock> blocks;
    Linear proj_out;

    static Transformer2DModel load(const WeightScope& scope, std::int64_t channels, const TransformerOptions& options);

    /// Appends one KeyValue per block, in the order in which forward takes them.
    void append_keys_and_values(const at::Tensor& text, std::vector<KeyValue>& context) const;

    /// Uses context[next], context[next + 1], ... and advances `next` by the number of blocks.
    at::Tensor operator()(const at::Tensor& input, const std::vector<KeyValue>& context, std::size_t& next) const;
};

} // namespace sdfleet::pipeline
