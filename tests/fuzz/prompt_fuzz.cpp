// SPDX-License-Identifier: Apache-2.0
// A prompt in A1111 syntax, down to the ids of its chunks. Reads the tokenizer of models/tiny-shapes below
// SDFLEET_SOURCE_DIR, a macro or a variable of the environment.
#include "base/utf8.hpp"
#include "fuzz/scratch.hpp"
#include "pipeline/prompt_chunks.hpp"

#include <cstdlib>

using namespace sdfleet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const auto tokenizer = [] {
        const char* source = std::getenv("SDFLEET_SOURCE_DIR");
        const std::filesystem::path root = source != nullptr ? source : SDFLEET_SOURCE_DIR;
        auto loaded = pipeline::ClipTokenizer::load(root / "models/tiny-shapes/tokenizer");
        if (!loaded) {
            std::abort();
        }
        return std::move(*loaded);
    }();
    const std::string text(fuzz::text_of(data, size));
    if (!base::is_utf8(text)) {
        return 0;
    }
    std::size_t tokens = 0;
    const auto parts = pipeline::parse_attention_syntax(text);
    for (const auto& part : parts) {
        if (const auto* weighted = std::get_if<pipeline::WeightedText>(&part)) {
            tokens += tokenizer.tokenize(weighted->text).size();
        }
    }
    std::size_t room = 0;
    for (const auto& chunk : pipeline::chunk_prompt(parts, tokenizer)) {
        if (chunk.ids.size() != static_cast<std::size_t>(tokenizer.max_length()) ||
            chunk.weights.size() != chunk.ids.size()) {
            std::abort();
        }
        room += chunk.ids.size() - 2;
    }
    if (room < tokens) { // some would be lost
        std::abort();
    }
    return 0;
}
