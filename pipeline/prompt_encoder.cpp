// SPDX-License-Identifier: Apache-2.0
#include "pipeline/prompt_encoder.hpp"

#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>

namespace sdfleet::pipeline {

namespace {

/// Multiplies each token's embedding by its weight and brings the mean of all numbers back to what it was.
at::Tensor weighted(const at::Tensor& hidden, const std::vector<double>& weights)
{
    if (std::ranges::all_of(weights, [](double weight) { return weight == 1; })) {
        return hidden;
    }
    const at::Tensor factors = at::tensor(weights).to(hidden.options()).unsqueeze(1);
    const at::Tensor changed = hidden * factors;
    return changed * (hidden.mean() / changed.mean());
}

at::Tensor joined(const std::vector<at::Tensor>& tensors, std::int64_t dimension)
{
    return tensors.size() == 1 ? tensors.front() : at::cat(tensors, dimension);
}

} // namespace

TextConditioning PromptEncoder::encode(const std::string& prompt, const PromptReading& reading) const
{
    TextConditioning conditioning;
    std::vector<at::Tensor> embeds;
    const TextLayer layer{reading.clip_skip + always_skipped(), encoders_.size() == 1};
    for (std::size_t i = 0; i < encoders_.size(); ++i) {
        const Encoder& encoder = encoders_[i];
        std::vector<PromptChunk> chunks = chunks_of(encoder, prompt, reading.syntax);
        const auto empty = chunks_of(encoder, "", reading.syntax).front();
        chunks.resize(std::max(chunks.size(), reading.chunks), empty);
        std::vector<at::Tensor> hidden;
        for (const PromptChunk& chunk : chunks) {
            TextOutput output = encode_chunk(i, chunk, layer);
            if (hidden.empty()) {
                conditioning.pooled = std::move(output.pooled);
            }
            hidden.push_back(weighted(output.hidden, chunk.weights));
        }
        embeds.push_back(joined(hidden, 1));
    }
    conditioning.embeds = joined(embeds, -1);
    return conditioning;
}

TextOutput PromptEncoder::encode_chunk(std::size_t encoder, const PromptChunk& chunk, const TextLayer& layer) const
{
    const ClipTextModel& model = encoders_[encoder].model;
    const auto ids = at::tensor(chunk.ids, at::TensorOptions().dtype(at::kLong)).unsqueeze(0).to(model.device());
    const auto outputs = recorded_[encoder](static_cast<int>(layer.skipped), ids, [&](const at::Tensor& input) {
        TextOutput output = model.forward(input, layer);
        return std::vector{std::move(output.hidden), std::move(output.pooled)};
    });
    // Of their own, as the next chunk's replay writes into the same memory.
    return {outputs[0].clone(), outputs[1].defined() ? outputs[1].clone() : at::Tensor()};
}

void PromptEncoder::record_with(const Recorder& recorder)
{
    for (RecordedFunction& recorded : recorded_) {
        recorded = RecordedFunction(recorder);
    }
}

void PromptEncoder::forget_recordings()
{
    for (RecordedFunction& recorded : recorded_) {
        recorded.clear();
    }
}

std::vector<PromptChunk> PromptEncoder::chunks_of(const Encoder& encoder, const std::string& prompt,
                                                  PromptSyntax syntax) const
{
    if (syntax == PromptSyntax::a1111) {
        return chunk_prompt(parse_attention_syntax(prompt), encoder.tokenizer);
    }
    PromptChunk chunk{encoder.tokenizer.encode(prompt), {}};
    chunk.weights.assign(chunk.ids.size(), 1);
    return {std::move(chunk)};
}

std::size_t PromptEncoder::count_chunks(const std::string& prompt, PromptSyntax syntax) const
{
    std::size_t most = 1;
    for (const Encoder& encoder : encoders_) {
        most = std::max(most, chunks_of(encoder, prompt, syntax).size());
    }
    return most;
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
