// SPDX-License-Identifier: Apache-2.0
#include "pipeline/clip_tokenizer.hpp"

#include "pipeline/prompt_text.hpp"

#include <algorithm>

namespace sdfleet::pipeline {

namespace {

/// Calls `plain` on the texts between special tokens and appends the ids of these, leftmost and then longest first.
template <class Specials, class Plain>
void split_at_specials(std::string_view text, const Specials& specials, std::vector<std::int64_t>& ids, Plain plain)
{
    while (!text.empty()) {
        std::size_t at = std::string_view::npos;
        const typename Specials::value_type* hit = nullptr;
        for (const auto& special : specials) {
            const std::size_t found = text.find(special.content);
            if (found != std::string_view::npos &&
                (hit == nullptr || found < at || (found == at && special.content.size() > hit->content.size()))) {
                at = found;
                hit = &special;
            }
        }
        if (hit == nullptr) {
            plain(text);
            return;
        }
        plain(text.substr(0, at));
        ids.push_back(hit->id);
        text.remove_prefix(at + hit->content.size());
    }
}

} // namespace

base::Result<ClipTokenizer> ClipTokenizer::load(const std::filesystem::path& folder)
{
    const auto files = read_tokenizer_files(folder);
    if (!files) {
        return tl::unexpected(files.error());
    }
    const Vocabulary& vocabulary = files->vocabulary;
    for (const std::string& token : {files->bos, files->eos, files->unk, files->pad}) {
        if (!vocabulary.contains(token)) {
            return base::fail(base::ExitCode::bad_input,
                              folder.string() + ": special token '" + token + "' is not in the vocabulary");
        }
    }
    auto encoder = BytePairEncoder::make(vocabulary, files->merges, vocabulary.at(files->unk), folder.string());
    if (!encoder) {
        return tl::unexpected(encoder.error());
    }
    ClipTokenizer tokenizer(std::move(*encoder));
    for (const SpecialToken& token : files->special_tokens) {
        const auto found = vocabulary.find(token.content);
        if (found == vocabulary.end() || token.content.empty()) {
            return base::fail(base::ExitCode::bad_input, folder.string() + ": added token '" + token.content +
                                                             "' is not in the vocabulary, which is not supported");
        }
        auto& list = token.normalized ? tokenizer.normalized_specials_ : tokenizer.raw_specials_;
        list.push_back({token.normalized ? normalize_prompt(token.content) : token.content, found->second});
    }
    tokenizer.bos_ = vocabulary.at(files->bos);
    tokenizer.eos_ = vocabulary.at(files->eos);
    tokenizer.pad_ = vocabulary.at(files->pad);
    tokenizer.max_length_ = files->model_max_length;
    for (const auto& [token, id] : vocabulary) {
        tokenizer.largest_id_ = std::max(tokenizer.largest_id_, id);
    }
    return tokenizer;
}

void ClipTokenizer::encode_raw(std::string_view text, std::vector<std::int64_t>& ids) const
{
    split_at_specials(text, raw_specials_, ids,
                      [&](std::string_view plain) { encode_normalized(normalize_prompt(plain), ids); });
}

void ClipTokenizer::encode_normalized(std::string_view text, std::vector<std::int64_t>& ids) const
{
    split_at_specials(text, normalized_specials_, ids, [&](std::string_view plain) {
        for (const std::string_view word : split_words(plain)) {
            encoder_.encode(word, ids);
        }
    });
}

std::vector<std::int64_t> ClipTokenizer::tokenize(std::string_view text) const
{
    std::vector<std::int64_t> ids;
    encode_raw(text, ids);
    return ids;
}

std::vector<std::int64_t> ClipTokenizer::encode(std::string_view text) const
{
    std::vector<std::int64_t> ids{bos_};
    encode_raw(text, ids);
    const auto length = static_cast<std::size_t>(max_length_);
    ids.resize(std::min(ids.size(), length - 1));
    ids.push_back(eos_);
    ids.resize(length, pad_);
    return ids;
}

} // namespace sdfleet::pipeline
