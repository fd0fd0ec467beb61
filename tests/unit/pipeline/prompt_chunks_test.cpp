// SPDX-License-Identifier: Apache-2.0
#include "pipeline/prompt_chunks.hpp"

#include "tests/catch.hpp"

#include <algorithm>

using namespace sdfleet;
using pipeline::chunk_prompt;
using pipeline::ClipTokenizer;
using pipeline::parse_attention_syntax;
using Ids = std::vector<std::int64_t>;

namespace {

/// 32 ids a chunk, so 30 tokens of the prompt; "circle" is one token, and so is ",".
const ClipTokenizer& tiny()
{
    static const auto tokenizer = ClipTokenizer::load(SDFLEET_SOURCE_DIR "/models/tiny-shapes/tokenizer");
    REQUIRE(tokenizer);
    return *tokenizer;
}

std::vector<pipeline::PromptChunk> chunks_of(const std::string& prompt)
{
    return chunk_prompt(parse_attention_syntax(prompt), tiny());
}

std::string circles(int count)
{
    std::string text;
    for (int i = 0; i < count; ++i) {
        text += " circle";
    }
    return text;
}

/// Tokens of the prompt in a chunk: what stands between BOS and the first EOS.
std::ptrdiff_t used(const pipeline::PromptChunk& chunk)
{
    return std::find(chunk.ids.begin(), chunk.ids.end(), tiny().eos()) - chunk.ids.begin() - 1;
}

} // namespace

TEST_CASE("a short prompt is one chunk with the ids of the plain tokenizer")
{
    const auto chunks = chunks_of("a red circle");
    REQUIRE(chunks.size() == 1);
    CHECK(chunks[0].ids == tiny().encode("a red circle"));
    CHECK(chunks[0].weights == std::vector<double>(32, 1));
    CHECK(chunks_of("").at(0).ids == tiny().encode(""));
}

TEST_CASE("weights stand beside the tokens of their text")
{
    const auto chunks = chunks_of("a (red:1.5) circle");
    REQUIRE(chunks.size() == 1);
    CHECK(chunks[0].ids == tiny().encode("a red circle"));
    CHECK(std::vector<double>(chunks[0].weights.begin(), chunks[0].weights.begin() + 5) ==
          std::vector<double>{1, 1, 1.5, 1, 1});
}

TEST_CASE("a long prompt goes on in further chunks and loses no token")
{
    const auto chunks = chunks_of(circles(70));
    REQUIRE(chunks.size() == 3);
    CHECK(used(chunks[0]) == 30);
    CHECK(used(chunks[1]) == 30);
    CHECK(used(chunks[2]) == 10);
    for (const auto& chunk : chunks) {
        CHECK(chunk.ids.size() == 32);
        CHECK(chunk.weights.size() == 32);
    }
}

TEST_CASE("a phrase that would be cut in two moves into the next chunk, unless it is long")
{
    const auto near = chunks_of(circles(24) + "," + circles(10));
    REQUIRE(near.size() == 2);
    CHECK(used(near[0]) == 25);
    CHECK(used(near[1]) == 10);
    const auto far = chunks_of(circles(5) + "," + circles(30));
    REQUIRE(far.size() == 2);
    CHECK(used(far[0]) == 30);
    CHECK(used(far[1]) == 6);
}

TEST_CASE("BREAK ends a chunk early")
{
    const auto chunks = chunks_of("a red circle BREAK a blue square");
    REQUIRE(chunks.size() == 2);
    CHECK(chunks[0].ids == tiny().encode("a red circle"));
    CHECK(chunks[1].ids == tiny().encode("a blue square"));
}
