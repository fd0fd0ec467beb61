// SPDX-License-Identifier: Apache-2.0
#include "pipeline/clip_tokenizer.hpp"

#include "pipeline/prompt_text.hpp"
#include "temp_model.hpp"
#include "tests/catch.hpp"

#include <rapidcheck.h>

using namespace sdfleet;
using nlohmann::json;
using pipeline::ClipTokenizer;
using Words = std::vector<std::string_view>;

namespace {

ClipTokenizer load(const std::filesystem::path& folder)
{
    auto tokenizer = ClipTokenizer::load(folder);
    INFO((tokenizer ? "" : tokenizer.error().message));
    REQUIRE(tokenizer);
    return std::move(*tokenizer);
}

const ClipTokenizer& tiny()
{
    static const ClipTokenizer tokenizer = load(SDFLEET_SOURCE_DIR "/models/tiny-shapes/tokenizer");
    return tokenizer;
}

} // namespace

TEST_CASE("prompts are normalised code point by code point")
{
    CHECK(pipeline::normalize_prompt("A  RED\t\n Circle") == "a red circle");
    CHECK(pipeline::normalize_prompt("e\u0301") == "\u00e9");
    CHECK(pipeline::normalize_prompt("\u0654\u0650") == "\u0650\u0654"); // marks in their canonical order
    CHECK(pipeline::normalize_prompt("\u06e7\u08d2") == "\u06e7\u08d2"); // but not one that is newer than Unicode 9
    CHECK(pipeline::normalize_prompt("ΟΔΟΣ") == "οδοσ");                 // no final sigma
    CHECK(pipeline::normalize_prompt("\u0130") == "i\u0307");            // the one that becomes two
    CHECK(pipeline::normalize_prompt("a\u00a0\u3000b\u200bc") == "a b\u200bc");
}

TEST_CASE("words are contractions, letters, single digits or other signs")
{
    CHECK(pipeline::split_words("it's 42!? don't") == Words{"it", "'s", "4", "2", "!?", "don", "'t"});
    CHECK(pipeline::split_words("!'s") == Words{"!'", "s"});
    CHECK(pipeline::split_words("   ").empty());
    CHECK(pipeline::split_words("<|endoftext|>!") == Words{"<|", "endoftext", "|>", "!"});
}

TEST_CASE("ids are framed by BOS and EOS and padded to the model's length")
{
    const auto ids = tiny().encode("a red circle");
    REQUIRE(ids.size() == 32);
    CHECK(std::vector(ids.begin(), ids.begin() + 6) == std::vector<std::int64_t>{1022, 320, 555, 599, 1023, 1023});
    CHECK(ids.back() == 1023);
}

TEST_CASE("a text that is too long is cut off and still ends in EOS")
{
    std::string text;
    for (int i = 0; i < 60; ++i) {
        text += "circle ";
    }
    const auto ids = tiny().encode(text);
    REQUIRE(ids.size() == 32);
    CHECK(ids[30] == 599);
    CHECK(ids[31] == 1023);
}

TEST_CASE("any text gives as many ids as the model takes, all within the vocabulary")
{
    const bool held = rc::check([](const std::vector<std::uint32_t>& points) {
        std::string text;
        for (const std::uint32_t point : points) {
            const char32_t c = 1 + point % 0xd7ff;
            if (c < 0x80) {
                text += static_cast<char>(c);
            } else if (c < 0x800) {
                text += {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))};
            } else {
                text += {static_cast<char>(0xe0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3f)),
                         static_cast<char>(0x80 | (c & 0x3f))};
            }
        }
        const auto ids = tiny().encode(text);
        RC_ASSERT(ids.size() == 32U);
        for (const std::int64_t id : ids) {
            RC_ASSERT(id >= 0 && id < 1024);
        }
    });
    CHECK(held);
}

TEST_CASE("tokenizer.json serves as well as vocab.json and merges.txt")
{
    const test::TempModel model;
    json merges = json::array();
    std::istringstream lines(model.read("tokenizer/merges.txt"));
    for (std::string line; std::getline(lines, line);) {
        const auto space = line.find(' ');
        if (line.starts_with('#') || space == std::string::npos) {
            continue;
        }
        if (merges.size() % 2 == 0) { // both spellings of a merge
            merges.push_back(line);
        } else {
            merges.push_back({line.substr(0, space), line.substr(space + 1)});
        }
    }
    const json one_file{
        {"added_tokens",
         {{{"id", 1022}, {"content", "<|startoftext|>"}, {"normalized", true}, {"special", true}},
          {{"id", 1023}, {"content", "<|endoftext|>"}, {"normalized", false}, {"special", true}}}},
        {"model", {{"type", "BPE"}, {"vocab", json::parse(model.read("tokenizer/vocab.json"))}, {"merges", merges}}}};
    model.remove("tokenizer/vocab.json");
    model.remove("tokenizer/merges.txt");
    model.remove("tokenizer/special_tokens_map.json");
    model.write("tokenizer/tokenizer.json", one_file.dump());
    const ClipTokenizer tokenizer = load(model.path() / "tokenizer");
    for (const char* text : {"a red circle", "<|STARTOFTEXT|> it's <|endoftext|> 3 STARS <|ENDOFTEXT|>"}) {
        CHECK(tokenizer.encode(text) == tiny().encode(text));
    }
}

TEST_CASE("a pad token of its own is a special token, and EOS is then looked for in any case")
{
    const test::TempModel model;
    model.edit("tokenizer/special_tokens_map.json", [](json& map) { map["pad_token"] = "!"; });
    const auto ids = load(model.path() / "tokenizer").encode("hello! <|ENDOFTEXT|>");
    const std::int64_t pad = json::parse(model.read("tokenizer/vocab.json"))["!"].get<std::int64_t>();
    CHECK(ids.back() == pad);
    CHECK(std::count(ids.begin(), ids.end(), 1023) == 2);
}

TEST_CASE("a damaged tokenizer is refused with the file at fault")
{
    const auto refused_after = [](const std::string& file, const std::string& text, const std::string& what) {
        const test::TempModel model;
        model.write(file, text);
        const auto loaded = ClipTokenizer::load(model.path() / "tokenizer");
        REQUIRE_FALSE(loaded);
        CHECK(loaded.error().code == base::ExitCode::bad_input);
        CHECK_THAT(loaded.error().message, ContainsSubstring(what));
    };
    refused_after("tokenizer/vocab.json", "[]", "vocab.json");
    refused_after("tokenizer/vocab.json", R"({"a": -1})", "token 'a'");
    refused_after("tokenizer/vocab.json", R"({"a": 1})", "special token");
    refused_after("tokenizer/merges.txt", "#version: 0.2\na b c\n", "merges.txt");
    refused_after("tokenizer/merges.txt", "zz qq\n", "merge 'zz qq'");
    refused_after("tokenizer/tokenizer.json", R"({"model": {"type": "Unigram"}})", "byte-pair");
    refused_after("tokenizer/special_tokens_map.json", "nonsense", "special_tokens_map.json");
}
