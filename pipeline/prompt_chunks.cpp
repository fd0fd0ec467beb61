// SPDX-License-Identifier: Apache-2.0
#include "pipeline/prompt_chunks.hpp"

#include <algorithm>
#include <optional>

namespace sdfleet::pipeline {

namespace {

struct Token {
    std::int64_t id = 0;
    double weight = 1;
};

class Layout {
public:
    explicit Layout(const ClipTokenizer& tokenizer)
        : tokenizer_(tokenizer), room_(static_cast<std::size_t>(tokenizer.max_length()) - 2)
    {
        const auto comma = tokenizer.tokenize(",");
        if (comma.size() == 1) {
            comma_ = comma.front();
        }
    }

    void add(const WeightedText& part)
    {
        for (const std::int64_t id : tokenizer_.tokenize(part.text)) {
            if (id == comma_) {
                after_comma_ = open_.size() + 1;
            } else if (open_.size() == room_) {
                end_chunk_before_phrase();
            }
            if (open_.size() == room_) {
                end_chunk();
            }
            open_.push_back({id, part.weight});
        }
    }

    void end_chunk()
    {
        PromptChunk chunk;
        chunk.ids.push_back(tokenizer_.bos());
        for (const Token& token : open_) {
            chunk.ids.push_back(token.id);
        }
        chunk.ids.push_back(tokenizer_.eos());
        chunk.ids.resize(room_ + 2, tokenizer_.pad());
        chunk.weights.assign(room_ + 2, 1);
        std::ranges::transform(open_, chunk.weights.begin() + 1, &Token::weight);
        chunks_.push_back(std::move(chunk));
        open_.clear();
        after_comma_.reset();
    }

    std::vector<PromptChunk> finish()
    {
        if (!open_.empty() || chunks_.empty()) {
            end_chunk();
        }
        return std::move(chunks_);
    }

private:
    /// Ends the full chunk after its last comma, when that is near, and begins the next one with what stood behind it.
    void end_chunk_before_phrase()
    {
        constexpr std::size_t longest_phrase = 20;
        if (!after_comma_ || open_.size() + 1 - *after_comma_ > longest_phrase) {
            return;
        }
        const std::vector<Token> phrase(open_.begin() + static_cast<std::ptrdiff_t>(*after_comma_), open_.end());
        open_.resize(*after_comma_);
        end_chunk();
        open_ = phrase;
    }

    const ClipTokenizer& tokenizer_;
    std::size_t room_; ///< tokens of a chunk beside BOS and EOS
    std::optional<std::int64_t> comma_;
    std::vector<Token> open_;
    std::optional<std::size_t> after_comma_; ///< position in open_
    std::vector<PromptChunk> chunks_;
};

} // namespace

std::vector<PromptChunk> chunk_prompt(const std::vector<PromptPart>& parts, const ClipTokenizer& tokenizer)
{
    Layout layout(tokenizer);
    for (const PromptPart& part : parts) {
        if (const auto* text = std::get_if<WeightedText>(&part)) {
            layout.add(*text);
        } else {
            layout.end_chunk();
        }
    }
    return layout.finish();
}

} // namespace sdfleet::pipeline
