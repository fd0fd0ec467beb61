// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "pipeline/byte_pair_encoder.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace sdfleet::pipeline {

/// A token that a prompt may spell out and that is then taken as one.
struct SpecialToken {
    std::string content;
    bool normalized = false; ///< looked for in the normalised text (so in any case), not in the text as typed

    bool operator==(const SpecialToken&) const = default;
};

/// A tokenizer folder: tokenizer.json, or vocab.json and merges.txt; tokenizer_config.json; special_tokens_map.json.
struct TokenizerFiles {
    Vocabulary vocabulary;
    std::vector<std::pair<std::string, std::string>> merges;
    std::vector<SpecialToken> special_tokens; ///< each content once
    std::string bos = "<|startoftext|>";
    std::string eos = "<|endoftext|>";
    std::string unk = "<|endoftext|>";
    std::string pad = "<|endoftext|>";
    std::int64_t model_max_length = 0;
};

/// Fails with ExitCode::bad_input: a file missing, not JSON, of another kind of tokenizer, or without a maximum length.
base::Result<TokenizerFiles> read_tokenizer_files(const std::filesystem::path& folder);

} // namespace sdfleet::pipeline
