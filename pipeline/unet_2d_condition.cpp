// SPDX-License-Identifier: Apache-2.0
#include "pipeline/unet_2d_condition.hpp"

#include "pipeline/timestep_embedding.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/upsample_nearest2d.h>

namespace sdfleet::pipeline {

base::Result<UNet2DConditionModel> UNet2DConditionModel::load(const UNetConfig& config, const WeightFiles& files,
                                                              at::TensorOptions options)
{
    auto weights = Weights::open(files, options);
    if (!weights) {
        return tl::unexpected(weights.error());
    }
    const WeightScope root(*weights);
    const std::int64_t first = config.levels.front().channels;
    const ResnetOptions resnet{config.norm_num_groups, config.norm_eps, 4 * first};
    UNet2DConditionModel model(config);
    model.layers_.conv_in = Conv2d::load(root["conv_in"], config.in_channels, first, 3, 1, 1);
    model.time_linear_1_ = Linear::load(root["time_embedding"]["linear_1"], first, 4 * first);
    model.time_linear_2_ = Linear::load(root["time_embedding"]["linear_2"], 4 * first, 4 * first);
    if (config.time_cond_proj_dim > 0) {
        model.time_cond_proj_ =
            Linear::load(root["time_embedding"]["cond_proj"], config.time_cond_proj_dim, first, false);
    }
    if (config.text_time) {
        const WeightScope added = root["add_embedding"];
        model.added_linear_1_ =
            Linear::load(added["linear_1"], config.projection_class_embeddings_input_dim, 4 * first);
        model.added_linear_2_ = Linear::load(added["linear_2"], 4 * first, 4 * first);
    }
    model.load_down(root, resnet);
    model.load_mid(root, resnet);
    model.load_up(root, resnet);
    model.layers_.conv_norm_out =
        GroupNorm::load(root["conv_norm_out"], first, config.norm_num_groups, config.norm_eps);
    model.layers_.conv_out = Conv2d::load(root["conv_out"], first, config.out_channels, 3, 1, 1);
    model.parameters_ = weights->parameters();
    return weights->finish().map([&] { return std::move(model); });
}

TransformerOptions UNet2DConditionModel::transformer_options(const UNetLevel& level) const
{
    return TransformerOptions{level.heads, level.transformer_layers, config_.cross_attention_dim,
                              config_.norm_num_groups, config_.use_linear_projection};
}

void UNet2DConditionModel::load_down(const WeightScope& root, const ResnetOptions& resnet)
{
    std::int64_t in = config_.levels.front().channels;
    for (std::size_t i = 0; i < config_.levels.size(); ++i) {
        const UNetLevel& level = config_.levels[i];
        const WeightScope scope = root["down_blocks"][i];
        UNetLayers::Block block;
        for (std::size_t k = 0; k < static_cast<std::size_t>(level.resnets); ++k) {
            block.resnets.push_back(
                ResnetBlock2D::load(scope["resnets"][k], k == 0 ? in : level.channels, level.channels, resnet));
            if (level.attention_down) {
                block.attentions.push_back(
                    Transformer2DModel::load(scope["attentions"][k], level.channels, transformer_options(level)));
            }
        }
        if (i + 1 < config_.levels.size()) {
            block.sampler = Conv2d::load(scope["downsamplers.0.conv"], level.channels, level.channels, 3, 2,
                                         config_.downsample_padding);
        }
        in = level.channels;
        layers_.down.push_back(std::move(block));
    }
}

void UNet2DConditionModel::load_mid(const WeightScope& root, const ResnetOptions& resnet)
{
    const UNetLevel& coarsest = config_.levels.back();
    const WeightScope scope = root["mid_block"];
    const std::int64_t c = coarsest.channels;
    layers_.mid.resnets.push_back(ResnetBlock2D::load(scope["resnets.0"], c, c, resnet));
    layers_.mid.attentions.push_back(Transformer2DModel::load(scope["attentions.0"], c, transformer_options(coarsest)));
    layers_.mid.resnets.push_back(ResnetBlock2D::load(scope["resnets.1"], c, c, resnet));
}

void UNet2DConditionModel::load_up(const WeightScope& root, const ResnetOptions& resnet)
{
    const auto& levels = config_.levels;
    std::int64_t below = levels.back().channels; // of what comes from the block before
    for (std::size_t i = 0; i < levels.size(); ++i) {
        const std::size_t at_level = levels.size() - 1 - i;
        const UNetLevel& level = levels[at_level];
        const std::int64_t last_skip = levels[at_level == 0 ? 0 : at_level - 1].channels;
        const WeightScope scope = root["up_blocks"][i];
        UNetLayers::Block block;
        const auto count = static_cast<std::size_t>(level.resnets) + 1;
        for (std::size_t k = 0; k < count; ++k) {
            const std::int64_t skip = k + 1 == count ? last_skip : level.channels;
            const std::int64_t in = (k == 0 ? below : level.channels) + skip;
            block.resnets.push_back(ResnetBlock2D::load(scope["resnets"][k], in, level.channels, resnet));
            if (level.attention_up) {
                block.attentions.push_back(
                    Transformer2DModel::load(scope["attentions"][k], level.channels, transformer_options(level)));
            }
        }
        if (at_level > 0) {
            block.sampler = Conv2d::load(scope["upsamplers.0.conv"], level.channels, level.channels, 3, 1, 1);
        }
        below = level.channels;
        layers_.up.push_back(std::move(block));
    }
}

std::vector<KeyValue> UNet2DConditionModel::keys_and_values(const at::Tensor& text) const
{
    std::vector<KeyValue> context;
    const auto append = [&](const UNetLayers::Block& block) {
        for (const Transformer2DModel& attention : block.attentions) {
            attention.append_keys_and_values(text, context);
        }
    };
    for (const UNetLayers::Block& block : layers_.down) {
        append(block);
    }
    append(layers_.mid);
    for (const UNetLayers::Block& block : layers_.up) {
        append(block);
    }
    return context;
}

at::Tensor UNet2DConditionModel::added_embedding(const UNetConditions& conditions) const
{
    std::vector<at::Tensor> waves;
    for (const double id : conditions.time_ids) {
        waves.push_back(
            timestep_embedding(id, config_.addition_time_embed_dim, config_.flip_sin_to_cos, config_.freq_shift));
    }
    const at::Tensor sizes = at::cat(waves, 1).to(conditions.pooled.options()).expand({conditions.pooled.size(0), -1});
    return added_linear_2_(at::silu(added_linear_1_(at::cat({conditions.pooled, sizes}, 1))));
}

UNetContext UNet2DConditionModel::encode_context(const UNetConditions& conditions) const
{
    UNetContext context;
    context.attention = keys_and_values(conditions.text);
    if (config_.text_time) {
        context.added = added_embedding(conditions);
    }
    if (config_.time_cond_proj_dim > 0) {
        const at::Tensor waves = guidance_embedding(conditions.guidance_scale, config_.time_cond_proj_dim);
        context.guidance = time_cond_proj_(waves.to(conditions.text.options()));
    }
    return context;
}

at::Tensor UNet2DConditionModel::time_embeddings(const std::vector<double>& timesteps, const UNetContext& context,
                                                 at::TensorOptions options) const
{
    at::Tensor waves =
        timestep_embeddings(timesteps, config_.levels.front().channels, config_.flip_sin_to_cos, config_.freq_shift)
            .to(options);
    if (context.guidance.defined()) {
        waves = waves + context.guidance;
    }
    at::Tensor time = time_linear_2_(at::silu(time_linear_1_(waves))).unsqueeze(1);
    if (context.added.defined()) {
        time = time + context.added;
    }
    // Every residual block applies SiLU to the embedding first, so it is done here once.
    return at::silu(time);
}

at::Tensor UNet2DConditionModel::forward(const at::Tensor& sample, double timestep, const UNetContext& context) const
{
    // 1. time; one row, which broadcasts over the batch, or with an added embedding a row for each
    const at::Tensor time = time_embeddings({timestep}, context, sample.options()).squeeze(0);
    std::size_t next_context = 0;

    // 2. pre-process
    at::Tensor hidden = layers_.conv_in(sample);

    // 3. down; every intermediate result is kept for the way up
    std::vector<at::Tensor> skips{hidden};
    for (const UNetLayers::Block& block : layers_.down) {
        for (std::size_t k = 0; k < block.resnets.size(); ++k) {
            hidden = block.resnets[k](hidden, time);
            if (!block.attentions.empty()) {
                hidden = block.attentions[k](hidden, context.attention, next_context);
            }
            skips.push_back(hidden);
        }
        if (block.sampler) {
            hidden = (*block.sampler)(hidden);
            skips.push_back(hidden);
        }
    }

    // 4. mid
    hidden = layers_.mid.resnets[0](hidden, time);
    hidden = layers_.mid.attentions[0](hidden, context.attention, next_context);
    hidden = layers_.mid.resnets[1](hidden, time);

    // 5. up
    for (const UNetLayers::Block& block : layers_.up) {
        for (std::size_t k = 0; k < block.resnets.size(); ++k) {
            hidden = block.resnets[k](at::cat({hidden, skips.back()}, 1), time);
            skips.pop_back();
            if (!block.attentions.empty()) {
                hidden = block.attentions[k](hidden, context.attention, next_context);
            }
        }
        if (block.sampler) {
            // To the size of the next skip, which is not always twice this one (odd sizes were rounded up on the way).
            const auto size = skips.back().sizes();
            hidden = (*block.sampler)(at::upsample_nearest2d(hidden, {size[2], size[3]}));
        }
    }

    // 6. post-process
    hidden = layers_.conv_norm_out(hidden);
    return layers_.conv_out(at::silu_(hidden));
}

} // namespace sdfleet::pipeline
