// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/fused_operators.hpp"
#include "pipeline/resnet_block.hpp"
#include "pipeline/transformer_2d.hpp"

#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

/// The networks' blocks in fast form: images in channels_last memory, own kernels between the library's convolutions and
/// matrix products, biases and residuals in the kernel behind. They compute with the parameters of the reference's layers,
/// whose memory they rearrange once, in place: a LoRA that changes those changes these.
namespace sdfleet::pipeline::fast {

/// Lays `weight` ([out, in, kh, kw]) out as channels_last in place: every holder of the tensor sees it.
void to_channels_last(at::Tensor& weight);

/// Puts matrices [out_i, in] one below the other into one, and makes each a view of its part, in place. Returns the whole.
at::Tensor stack_matrices(const std::vector<at::Tensor*>& weights);

class ResnetBlock {
public:
    explicit ResnetBlock(const ResnetBlock2D& block);

    /// `time_bias`: [1 or N, channels_out], conv1's bias and the projected time embedding; undefined for a block without
    /// time, whose conv1 bias is then added instead.
    at::Tensor operator()(const FusedOperators& ops, const at::Tensor& input, const at::Tensor& time_bias) const;

    /// What the embedding `time` (of UNet2DConditionModel::time_embedding, any rows) contributes: its time_bias rows.
    at::Tensor time_bias(const at::Tensor& time) const;
    bool has_time() const { return block_.time_emb_proj.has_value(); }
    std::int64_t channels() const { return block_.conv1.weight.size(0); }

private:
    ResnetBlock2D block_;
    at::Tensor last_bias_; ///< of conv2 and of the shortcut
};

class TransformerBlock {
public:
    explicit TransformerBlock(const BasicTransformerBlock& block);

    /// The residual stream comes in two parts, `hidden` and what is still to be added to it (`pending`, may be undefined),
    /// and leaves so: the sum is made by the norm behind.
    struct Stream {
        at::Tensor hidden;  ///< [N, T, C]
        at::Tensor pending; ///< the same
    };
    Stream operator()(const FusedOperators& ops, const Stream& stream, const at::Tensor& keys_and_values) const;

private:
    BasicTransformerBlock block_;
    at::Tensor self_qkv_; ///< [3 * C, C]
};

class Transformer {
public:
    explicit Transformer(const Transformer2DModel& model);

    /// `next`: as Transformer2DModel's, over keys beside values [N, L, 2 * C].
    at::Tensor operator()(const FusedOperators& ops, const at::Tensor& input, const std::vector<at::Tensor>& context,
                          std::size_t& next) const;

private:
    Transformer2DModel model_;
    std::vector<TransformerBlock> blocks_;
};

} // namespace sdfleet::pipeline::fast
