// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sdfleet::pipeline {

using Vocabulary = std::unordered_map<std::string, std::int64_t>;

/// Byte-level byte-pair encoding (https://arxiv.org/abs/1508.07909) with CLIP's "</w>" at the end of each word.
class BytePairEncoder {
public:
    /// `merges` in order of rank. Both halves and the result of each must be in the vocabulary; `where` begins the error.
    static base::Result<BytePairEncoder> make(const Vocabulary& vocabulary,
                                              const std::vector<std::pair<std::string, std::string>>& merges,
                                              std::int64_t unknown_id, const std::string& where);

    /// Appends the ids of one word (UTF-8, not empty) to `ids`.
    void encode(std::string_view word, std::vector<std::int64_t>& ids) const;

private:
    struct Merge {
        std::size_t rank = 0;
        std::int64_t id = 0;
    };

    BytePairEncoder() = default;
    const Merge* find(std::int64_t left, std::int64_t right) const;

    std::array<std::int64_t, 256> byte_ids_{};        ///< of a byte inside a word
    std::array<std::int64_t, 256> last_byte_ids_{};   ///< of a word's last byte
    std::unordered_map<std::uint64_t, Merge> merges_; ///< by left << 32 | right
};

} // namespace sdfleet::pipeline
