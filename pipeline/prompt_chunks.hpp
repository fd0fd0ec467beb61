// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/attention_syntax.hpp"
#include "pipeline/clip_tokenizer.hpp"

#include <cstdint>
#include <vector>

namespace sdfleet::pipeline {

/// One run of the text encoder over a part of a long prompt.
struct PromptChunk {
    std::vector<std::int64_t> ids; ///< max_length() of them: BOS, tokens, EOS, padding
    std::vector<double> weights;   ///< of each id; 1 for what is not the prompt's own

    bool operator==(const PromptChunk&) const = default;
};

/// Longer prompts are refused: each chunk costs a run of the text encoder and widens every cross-attention.
inline constexpr std::size_t max_prompt_chunks = 32;

/// Lays the tokens of a prompt of any length out in chunks, as the A1111 web UI does: a chunk that would end in the middle
/// of a comma-separated phrase of up to 20 tokens ends before that phrase. At least one chunk.
std::vector<PromptChunk> chunk_prompt(const std::vector<PromptPart>& parts, const ClipTokenizer& tokenizer);

} // namespace sdfleet::pipeline
