// SPDX-License-Identifier: Apache-2.0
#include "pipeline/prompt_text.hpp"

#include "pipeline/code_points.hpp"

#include <array>

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>
#include <unicode/unistr.h>

namespace sdfleet::pipeline {

namespace {

enum class Kind { space, letter, number, other };

Kind kind_of(UChar32 c)
{
    if (u_isUWhiteSpace(c) != 0) {
        return Kind::space;
    }
    const auto mask = U_GET_GC_MASK(c);
    return (mask & U_GC_L_MASK) != 0 ? Kind::letter : (mask & U_GC_N_MASK) != 0 ? Kind::number : Kind::other;
}

/// Length of the alternative of fixed text that matches at the front, or 0.
std::size_t contraction_length(std::string_view rest)
{
    for (const std::string_view contraction : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
        if (rest.starts_with(contraction)) {
            return contraction.size();
        }
    }
    return 0;
}

std::size_t run_length(std::string_view text, Kind kind)
{
    std::size_t end = 0;
    while (end < text.size()) {
        std::size_t next = end;
        if (kind_of(next_code_point(text, next)) != kind) {
            break;
        }
        end = next;
    }
    return end;
}

/// Composes by the tables of Unicode 9, as the tokenizers library does: marks that came later stay where they stand.
icu::UnicodeString compose(const icu::UnicodeString& text)
{
    UErrorCode status = U_ZERO_ERROR;
    const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(status);
    static const auto known = [] {
        UErrorCode parsed = U_ZERO_ERROR;
        icu::UnicodeSet set(UNICODE_STRING_SIMPLE("[:age=9.0:]"), parsed);
        set.freeze();
        return set;
    }();
    icu::UnicodeString composed;
    icu::FilteredNormalizer2(*nfc, known).normalize(text, composed, status);
    return composed;
}

} // namespace

std::string normalize_prompt(std::string_view text)
{
    const auto source = icu::UnicodeString::fromUTF8({text.data(), static_cast<std::int32_t>(text.size())});
    const icu::UnicodeString composed = compose(source);

    icu::UnicodeString lowered;
    bool after_space = false;
    for (std::int32_t i = 0; i < composed.length(); i = composed.moveIndex32(i, 1)) {
        const UChar32 c = composed.char32At(i);
        const bool space = u_isUWhiteSpace(c) != 0;
        if (space && !after_space) {
            lowered.append(UChar32{' '});
        } else if (c == 0x130) { // capital I with dot: the one code point whose lower case is two
            lowered.append(UChar32{'i'}).append(UChar32{0x307});
        } else if (!space) {
            lowered.append(u_tolower(c));
        }
        after_space = space;
    }
    std::string result;
    lowered.toUTF8String(result);
    return result;
}

std::vector<std::string_view> split_words(std::string_view text)
{
    // The special tokens' names match as a whole and are then cut at the letters, so that what follows begins a new word.
    static constexpr std::array<std::array<std::string_view, 4>, 2> names{{
        {"<|startoftext|>", "<|", "startoftext", "|>"},
        {"<|endoftext|>", "<|", "endoftext", "|>"},
    }};
    std::vector<std::string_view> words;
    const auto take = [&](std::size_t length) {
        words.push_back(text.substr(0, length));
        text.remove_prefix(length);
    };
    while (!text.empty()) {
        std::size_t first_length = 0;
        const Kind kind = kind_of(next_code_point(text, first_length));
        const auto* name = text.starts_with(names[0][0])   ? &names[0]
                           : text.starts_with(names[1][0]) ? &names[1]
                                                           : nullptr;
        if (kind == Kind::space) {
            text.remove_prefix(first_length);
        } else if (name != nullptr) {
            for (std::size_t part = 1; part < name->size(); ++part) {
                take((*name)[part].size());
            }
        } else if (const std::size_t length = contraction_length(text); length > 0) {
            take(length);
        } else {
            take(kind == Kind::number ? first_length : run_length(text, kind));
        }
    }
    return words;
}

} // namespace sdfleet::pipeline
