// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/fast_layers.hpp"
#include "pipeline/unet_2d_condition.hpp"

#include <vector>

namespace sdfleet::pipeline::fast {

/// What one picture contributes to all its steps, computed once: `copies` is 2 with guidance (unconditional, conditional),
/// else 1.
struct RowContext {
    std::vector<at::Tensor> keys_and_values; ///< per cross-attention: [copies, L, 2 * C]
    at::Tensor time_biases;                  ///< [calls, copies, UNet::time_bias_channels()]
};

/// UNet2DConditionModel in fast form. Shares its parameters and rearranges their memory (fast_layers.hpp); the reference
/// goes on working.
class UNet {
public:
    UNet(const UNet2DConditionModel& model, const FusedOperators& ops);

    /// `timesteps`: of each call of the picture.
    RowContext encode_context(const UNetConditions& conditions, const std::vector<double>& timesteps) const;

    /// sample: [R, in_channels, h, w] in channels_last memory; time_biases: [R, time_bias_channels()]; keys_and_values: per
    /// cross-attention [R, L, 2 * C]. Returns [R, out_channels, h, w] in channels_last memory. Nothing here waits for a
    /// GPU or depends on values, so that it can be captured in a graph.
    at::Tensor forward(const at::Tensor& sample, const at::Tensor& time_biases,
                       const std::vector<at::Tensor>& keys_and_values) const;

    /// Of all residual blocks, one behind the other.
    std::int64_t time_bias_channels() const { return time_bias_channels_; }

private:
    struct Block {
        std::vector<ResnetBlock> resnets;
        std::vector<Transformer> attentions;
        std::optional<Conv2d> sampler;
    };
    struct Walk; ///< where a forward is in its per-block inputs

    Block make_block(const UNetLayers::Block& block);
    at::Tensor down(at::Tensor hidden, Walk& walk, std::vector<at::Tensor>& skips) const;
    at::Tensor up(at::Tensor hidden, Walk& walk, std::vector<at::Tensor>& skips) const;
    std::vector<const ResnetBlock*> resnets() const; ///< in the order of forward

    const UNet2DConditionModel* model_;
    FusedOperators ops_;
    Conv2d conv_in_;
    std::vector<Block> down_;
    Block mid_;
    std::vector<Block> up_;
    GroupNorm conv_norm_out_;
    Conv2d conv_out_;
    std::int64_t time_bias_channels_ = 0;
};

} // namespace sdfleet::pipeline::fast
