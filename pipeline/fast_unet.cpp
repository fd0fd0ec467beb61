// SPDX-License-Identifier: Apache-2.0
#include "pipeline/fast_unet.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>

namespace sdfleet::pipeline::fast {

struct UNet::Walk {
    const at::Tensor& time_biases;
    const std::vector<at::Tensor>& context;
    std::int64_t next_channel = 0;
    std::size_t next_context = 0;

    at::Tensor time_bias_of(const ResnetBlock& block)
    {
        const at::Tensor own = time_biases.narrow(1, next_channel, block.channels());
        next_channel += block.channels();
        return own;
    }
};

UNet::UNet(const UNet2DConditionModel& model, const FusedOperators& ops)
    : model_(&model), ops_(ops), conv_in_(model.layers().conv_in), conv_norm_out_(model.layers().conv_norm_out),
      conv_out_(model.layers().conv_out)
{
    to_channels_last(conv_in_.weight);
    to_channels_last(conv_out_.weight);
    const UNetLayers& layers = model.layers();
    for (const UNetLayers::Block& block : layers.down) {
        down_.push_back(make_block(block));
    }
    mid_ = make_block(layers.mid);
    for (const UNetLayers::Block& block : layers.up) {
        up_.push_back(make_block(block));
    }
    for (const ResnetBlock* block : resnets()) {
        time_bias_channels_ += block->channels();
    }
}

UNet::Block UNet::make_block(const UNetLayers::Block& block)
{
    Block made;
    for (const ResnetBlock2D& resnet : block.resnets) {
        made.resnets.emplace_back(resnet);
    }
    for (const Transformer2DModel& attention : block.attentions) {
        made.attentions.emplace_back(attention);
    }
    if (block.sampler) {
        made.sampler = block.sampler;
        to_channels_last(made.sampler->weight);
    }
    return made;
}

std::vector<const ResnetBlock*> UNet::resnets() const
{
    std::vector<const ResnetBlock*> all;
    const auto append = [&](const Block& block) {
        for (const ResnetBlock& resnet : block.resnets) {
            all.push_back(&resnet);
        }
    };
    for (const Block& block : down_) {
        append(block);
    }
    append(mid_);
    for (const Block& block : up_) {
        append(block);
    }
    return all;
}

RowContext UNet::encode_context(const UNetConditions& conditions, const std::vector<double>& timesteps) const
{
    const UNetContext context = model_->encode_context(conditions);
    const std::int64_t copies = conditions.text.size(0);
    RowContext row;
    for (const KeyValue& attention : context.attention) {
        row.keys_and_values.push_back(at::cat({attention.key, attention.value}, 2));
    }
    const at::Tensor time = model_->time_embeddings(timesteps, context, conditions.text.options());
    std::vector<at::Tensor> biases;
    for (const ResnetBlock* block : resnets()) {
        biases.push_back(block->time_bias(time));
    }
    row.time_biases = at::cat(biases, 2).expand({-1, copies, -1});
    return row;
}

at::Tensor UNet::down(at::Tensor hidden, Walk& walk, std::vector<at::Tensor>& skips) const
{
    for (const Block& block : down_) {
        for (std::size_t k = 0; k < block.resnets.size(); ++k) {
            hidden = block.resnets[k](ops_, hidden, walk.time_bias_of(block.resnets[k]));
            if (!block.attentions.empty()) {
                hidden = block.attentions[k](ops_, hidden, walk.context, walk.next_context);
            }
            skips.push_back(hidden);
        }
        if (block.sampler) {
            hidden = channels_last((*block.sampler)(hidden));
            skips.push_back(hidden);
        }
    }
    return hidden;
}

at::Tensor UNet::up(at::Tensor hidden, Walk& walk, std::vector<at::Tensor>& skips) const
{
    for (const Block& block : up_) {
        for (std::size_t k = 0; k < block.resnets.size(); ++k) {
            hidden = block.resnets[k](ops_, at::cat({hidden, skips.back()}, 1), walk.time_bias_of(block.resnets[k]));
            skips.pop_back();
            if (!block.attentions.empty()) {
                hidden = block.attentions[k](ops_, hidden, walk.context, walk.next_context);
            }
        }
        if (block.sampler) {
            // To the size of the next skip, which is not always twice this one.
            const at::Tensor& skip = skips.back();
            hidden = channels_last((*block.sampler)(ops_.upsample(hidden, skip.size(2), skip.size(3))));
        }
    }
    return hidden;
}

at::Tensor UNet::forward(const at::Tensor& sample, const at::Tensor& time_biases,
                         const std::vector<at::Tensor>& keys_and_values) const
{
    Walk walk{time_biases, keys_and_values};
    at::Tensor hidden = channels_last(conv_in_(sample));
    std::vector<at::Tensor> skips{hidden};
    hidden = down(std::move(hidden), walk, skips);
    hidden = mid_.resnets[0](ops_, hidden, walk.time_bias_of(mid_.resnets[0]));
    hidden = mid_.attentions[0](ops_, hidden, walk.context, walk.next_context);
    hidden = mid_.resnets[1](ops_, hidden, walk.time_bias_of(mid_.resnets[1]));
    hidden = up(std::move(hidden), walk, skips);
    return channels_last(conv_out_(ops_.group_norm(hidden, conv_norm_out_, true)));
}

} // namespace sdfleet::pipeline::fast
