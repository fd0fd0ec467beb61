// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/clip_text_model.hpp"
#include "pipeline/clip_tokenizer.hpp"
#include "pipeline/prompt_chunks.hpp"
#include "pipeline/prompt_syntax.hpp"
#include "pipeline/recorded_function.hpp"

#include <string>
#include <vector>

namespace sdfleet::pipeline {

/// What a prompt becomes.
struct TextConditioning {
    at::Tensor embeds; ///< [1, L, D], D the widths of all text encoders together
    at::Tensor pooled; ///< [1, P]; undefined unless the last encoder has a projection
};

/// How a prompt is to be read.
struct PromptReading {
    PromptSyntax syntax = PromptSyntax::plain;
    int clip_skip = 0;      ///< how many layers more to leave out at the end, at most max_clip_skip()
    std::size_t chunks = 1; ///< at least so many, empty ones behind: prompts of one batch must be equally long
};

/// Turns prompts into what the UNet is conditioned on, with one text encoder (Stable Diffusion 1 and 2: its last layer,
/// normed) or two side by side (SDXL: the last layer but one of each, as it is).
class PromptEncoder {
public:
    struct Encoder {
        ClipTokenizer tokenizer;
        ClipTextModel model;
    };

    /// One or two encoders, whose tokenizers give the same number of ids.
    explicit PromptEncoder(std::vector<Encoder> encoders) : encoders_(std::move(encoders)), recorded_(encoders_.size())
    {
    }

    /// From now on the encoders' work is recorded and replayed.
    void record_with(const Recorder& recorder);
    void forget_recordings(); ///< with their memory; they are made again where they are needed

    /// With PromptSyntax::a1111 the weights multiply the embeddings, whose mean over each chunk is then restored; a long
    /// prompt's chunks stand one behind the other along L, and the pooled output is that of the first.
    TextConditioning encode(const std::string& prompt, const PromptReading& reading = {}) const;

    /// How many chunks the prompt fills; always 1 with PromptSyntax::plain.
    std::size_t count_chunks(const std::string& prompt, PromptSyntax syntax) const;

    int max_clip_skip() const;

    const std::vector<Encoder>& encoders() const { return encoders_; }

private:
    TextOutput encode_chunk(std::size_t encoder, const PromptChunk& chunk, const TextLayer& layer) const;
    std::vector<PromptChunk> chunks_of(const Encoder& encoder, const std::string& prompt, PromptSyntax syntax) const;

    /// Layers that are left out without any clip_skip.
    int always_skipped() const { return encoders_.size() > 1 ? 1 : 0; }

    std::vector<Encoder> encoders_;
    mutable std::vector<RecordedFunction> recorded_; ///< of each encoder
};

/// The conditioning of no prompt at all, where the model was trained with zeros for it.
TextConditioning zeros_like(const TextConditioning& conditioning);

} // namespace sdfleet::pipeline
