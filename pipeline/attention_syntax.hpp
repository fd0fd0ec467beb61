// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sdfleet::pipeline {

/// A stretch of a prompt and how much it counts; 1 is as usual.
struct WeightedText {
    std::string text;
    double weight = 1;

    bool operator==(const WeightedText&) const = default;
};

/// The word BREAK: what follows begins a new chunk of tokens.
struct ChunkBreak {
    bool operator==(const ChunkBreak&) const = default;
};

using PromptPart = std::variant<WeightedText, ChunkBreak>;

/// Reads the emphasis syntax of the A1111 web UI: (x) counts 1.1 times, (x:1.3) 1.3 times, [x] 1/1.1 times; nesting
/// multiplies; a backslash makes the next bracket an ordinary sign; a bracket that is never closed reaches to the end and
/// one that was never opened is text. Any text is a valid prompt. Neighbours of equal weight come as one part; there is
/// always at least one part.
std::vector<PromptPart> parse_attention_syntax(std::string_view prompt);

} // namespace sdfleet::pipeline
