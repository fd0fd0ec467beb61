// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "pipeline/byte_pair_encoder.hpp"
#include "pipeline/tokenizer_files.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace sdfleet::pipeline {

/// CLIP's tokenizer as transformers 5 runs it. Immutable after load; encode may be called from several threads.
class ClipTokenizer {
public:
    /// Fails with ExitCode::bad_input and the file at fault.
    static base::Result<ClipTokenizer> load(const std::filesystem::path& folder);

    /// Exactly max_length() ids: BOS, the text's ids (cut off to fit), EOS, padding. `text` is well-formed UTF-8.
    std::vector<std::int64_t> encode(std::string_view text) const;

    /// The text's own ids, as many as there are.
    std::vector<std::int64_t> tokenize(std::string_view text) const;

    std::int64_t bos() const { return bos_; }
    std::int64_t eos() const { return eos_; }
    std::int64_t pad() const { return pad_; }
    std::int64_t max_length() const { return max_length_; }
    std::int64_t largest_id() const { return largest_id_; }

private:
    struct Special {
        std::string content;
        std::int64_t id;
    };

    explicit ClipTokenizer(BytePairEncoder encoder) : encoder_(std::move(encoder)) {}
    void encode_raw(std::string_view text, std::vector<std::int64_t>& ids) const;
    void encode_normalized(std::string_view text, std::vector<std::int64_t>& ids) const;

    BytePairEncoder encoder_;
    std::vector<Special> raw_specials_;        ///< looked for in the text as typed
    std::vector<Special> normalized_specials_; ///< looked for after normalisation
    std::int64_t bos_ = 0;
    std::int64_t eos_ = 0;
    std::int64_t pad_ = 0;
    std::int64_t max_length_ = 0;
    std::int64_t largest_id_ = 0;
};

} // namespace sdfleet::pipeline
