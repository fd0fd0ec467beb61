// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "pipeline/layers.hpp"
#include "pipeline/resnet_block.hpp"
#include "pipeline/transformer_2d.hpp"
#include "pipeline/unet_config.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sdfleet::pipeline {

/// What a picture is conditioned on, apart from the time.
struct UNetConditions {
    at::Tensor text;              ///< [N, L, cross_attention_dim]
    at::Tensor pooled;            ///< [N, P], for text_time; otherwise unused
    std::vector<double> time_ids; ///< for text_time: original height and width, top and left of the crop, target size
    double guidance_scale = 1;    ///< for a model with a guidance embedding
};

/// The same as every step needs it.
struct UNetContext {
    std::vector<KeyValue> attention;
    at::Tensor added;    ///< [N, time channels], added to the time embedding; undefined: nothing
    at::Tensor guidance; ///< [1, channels], added to what the time embedding is made of; undefined: nothing
};

/// The layers of a UNet, in the order in which a sample passes them.
struct UNetLayers {
    struct Block {
        std::vector<ResnetBlock2D> resnets;
        std::vector<Transformer2DModel> attentions; ///< empty, or one per resnet; mid: one, between its two resnets
        std::optional<Conv2d> sampler;              ///< the convolution of the down- or upsampling
    };
    Conv2d conv_in;
    std::vector<Block> down;
    Block mid;
    std::vector<Block> up;
    GroupNorm conv_norm_out;
    Conv2d conv_out;
};

/// The denoiser of Stable Diffusion (https://arxiv.org/abs/2112.10752): a UNet over latents, conditioned on the time
/// and, by cross-attention, on the text.
class UNet2DConditionModel {
public:
    static base::Result<UNet2DConditionModel> load(const UNetConfig& config, const WeightFiles& weights,
                                                   at::TensorOptions options);

    /// What the conditions contribute to every step.
    UNetContext encode_context(const UNetConditions& conditions) const;

    /// sample: [N, in_channels, h, w]; context: of encode_context for the same N. Returns [N, out_channels, h, w].
    at::Tensor forward(const at::Tensor& sample, double timestep, const UNetContext& context) const;

    /// SiLU of the time embeddings, as the residual blocks take them: [timesteps, 1 or N, time channels]. `options`: as the
    /// sample's.
    at::Tensor time_embeddings(const std::vector<double>& timesteps, const UNetContext& context,
                               at::TensorOptions options) const;

    const UNetConfig& config() const { return config_; }
    const UNetLayers& layers() const { return layers_; }
    const std::map<std::string, at::Tensor>& parameters() const { return parameters_; } ///< as Weights::parameters

private:
    explicit UNet2DConditionModel(const UNetConfig& config) : config_(config) {}
    void load_down(const WeightScope& root, const ResnetOptions& resnet);
    void load_mid(const WeightScope& root, const ResnetOptions& resnet);
    void load_up(const WeightScope& root, const ResnetOptions& resnet);
    TransformerOptions transformer_options(const UNetLevel& level) const;
    std::vector<KeyValue> keys_and_values(const at::Tensor& text) const;
    at::Tensor added_embedding(const UNetConditions& conditions) const;

    UNetConfig config_;
    std::map<std::string, at::Tensor> parameters_;
    Linear time_linear_1_, time_linear_2_;
    Linear time_cond_proj_;                  ///< with a guidance embedding
    Linear added_linear_1_, added_linear_2_; ///< with text_time
    UNetLayers layers_;
};

} // namespace sdfleet::pipeline
