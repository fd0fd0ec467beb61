// SPDX-License-Identifier: Apache-2.0
#include "pipeline/byte_pair_encoder.hpp"

#include <queue>
#include <tuple>

namespace sdfleet::pipeline {

namespace {

constexpr std::string_view word_end = "</w>";

/// The character that stands for a byte in vocabularies of this family: itself where it is printable Latin-1, else the
/// next free one from U+0100 on. UTF-8.
std::array<std::string, 256> byte_characters()
{
    std::array<std::string, 256> characters;
    unsigned next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
        const bool printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
        const unsigned code = printable ? byte : next++;
        if (code < 0x80) {
            characters[byte] = {static_cast<char>(code)};
        } else {
            characters[byte] = {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))};
        }
    }
    return characters;
}

std::uint64_t pair_key(std::int64_t left, std::int64_t right)
{
    return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint64_t>(right);
}

} // namespace

base::Result<BytePairEncoder> BytePairEncoder::make(const Vocabulary& vocabulary,
                                                    const std::vector<std::pair<std::string, std::string>>& merges,
                                                    std::int64_t unknown_id, const std::string& where)
{
    BytePairEncoder encoder;
    const auto id_of = [&](const std::string& token) {
        const auto found = vocabulary.find(token);
        return found == vocabulary.end() ? unknown_id : found->second;
    };
    const auto characters = byte_characters();
    for (std::size_t byte = 0; byte < 256; ++byte) {
        encoder.byte_ids_[byte] = id_of(characters[byte]);
        encoder.last_byte_ids_[byte] = id_of(characters[byte] + std::string(word_end));
    }
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
        const auto& [left, right] = merges[rank];
        const auto left_id = vocabulary.find(left);
        const auto right_id = vocabulary.find(right);
        const auto merged_id = vocabulary.find(left + right);
        if (left_id == vocabulary.end() || right_id == vocabulary.end() || merged_id == vocabulary.end()) {
            return base::fail(base::ExitCode::bad_input,
                              where + ": merge '" + left + " " + right + "' names a token that the vocabulary lacks");
        }
        // A pair that occurs twice keeps the later rank, as in the reference implementation.
        encoder.merges_[pair_key(left_id->second, right_id->second)] = Merge{rank, merged_id->second};
    }
    return encoder;
}

const BytePairEncoder::Merge* BytePairEncoder::find(std::int64_t left, std::int64_t right) const
{
    const auto found = merges_.find(pair_key(left, right));
    return found == merges_.end() ? nullptr : &found->second;
}

void BytePairEncoder::encode(std::string_view word, std::vector<std::int64_t>& ids) const
{
    constexpr std::size_t none = SIZE_MAX;
    struct Symbol {
        std::int64_t id;
        std::size_t previous;
        std::size_t next;
        bool alive;
    };
    std::vector<Symbol> symbols;
    for (std::size_t i = 0; i < word.size(); ++i) {
        const auto byte = static_cast<unsigned char>(word[i]);
        const bool last = i + 1 == word.size();
        symbols.push_back(
            {last ? last_byte_ids_[byte] : byte_ids_[byte], i == 0 ? none : i - 1, last ? none : i + 1, true});
    }
    // Candidates by rank, then by position; a stale one (its halves were merged meanwhile) no longer names its pair.
    using Candidate = std::tuple<std::size_t, std::size_t, std::int64_t, std::int64_t>; // rank, left, ids of the pair
    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
    const auto offer = [&](std::size_t left) {
        if (left == none || symbols[left].next == none) {
            return;
        }
        const std::int64_t left_id = symbols[left].id;
        const std::int64_t right_id = symbols[symbols[left].next].id;
        if (const Merge* merge = find(left_id, right_id)) {
            queue.emplace(merge->rank, left, left_id, right_id);
        }
    };
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
        offer(i);
    }
    while (!queue.empty()) {
        const auto [rank, left, left_id, right_id] = queue.top();
        queue.pop();
        Symbol& first = symbols[left];
        if (!first.alive || first.next == none || first.id != left_id || symbols[first.next].id != right_id) {
            continue;
        }
        Symbol& second = symbols[first.next];
        first.id = find(left_id, right_id)->id;
        second.alive = false;
        first.next = second.next;
        if (second.next != none) {
            symbols[second.next].previous = left;
        }
        offer(first.previous);
        offer(left);
    }
    for (const Symbol& symbol : symbols) {
        if (symbol.alive) {
            ids.push_back(symbol.id);
        }
    }
}

} // namespace sdfleet::pipeline
