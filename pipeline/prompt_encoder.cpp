// SPDX-License-Identifier: Apache-2.0
#include "pipeline/prompt_encoder.hpp"

#include <algorithm>

#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>

namespace sdfleet::pipeline {

TextConditioning PromptEncoder::encode(const std::string& prompt, int clip_skip) const
{
    TextConditioning conditioning;
    std::vector<at::Tensor> embeds;
    const TextLayer layer{clip_skip + always_skipped(), encoders_.size() == 1};
    for (const auto& [tokenizer, model] : encoders_) {
        const auto ids = at::tensor(tokenizer.encode(prompt), at::TensorOptions().dtype(at::kLong)).unsqueeze(0);
        TextOutput output = model.forward(ids.to(model.device()), layer);
        embeds.push_back(std::move(output.hidden));
        conditioning.pooled = std::move(output.pooled);
    }
    conditioning.embeds = embeds.size() == 1 ? embeds.front() : at::cat(embeds, -1);
    return conditioning;
}

int PromptEncoder::max_clip_skip() const
{
    std::int64_t layers = encoders_.front().model.config().num_hidden_layers;
    for (const Encoder& encoder : encoders_) {
        layers = std::min(layers, encoder.model.config().num_hidden_layers);
    }
    return static_cast<int>(layers) - always_skipped();
}

TextConditioning zeros_like(const TextConditioning& conditioning)
{
    return {at::zeros_like(conditioning.embeds),
            conditioning.pooled.defined() ? at::zeros_like(conditioning.pooled) : at::Tensor()};
}

} // namespace sdfleet::pipeline
