// SPDX-License-Identifier: Apache-2.0
#include "pipeline/attention_syntax.hpp"

#include "tests/catch.hpp"

#include <cmath>

#include <rapidcheck.h>

using namespace sdfleet;
using pipeline::ChunkBreak;
using pipeline::parse_attention_syntax;
using pipeline::PromptPart;
using pipeline::WeightedText;
using Parts = std::vector<PromptPart>;

TEST_CASE("a prompt without brackets is one part that counts once")
{
    CHECK(parse_attention_syntax("a red circle") == Parts{WeightedText{"a red circle", 1}});
    CHECK(parse_attention_syntax("") == Parts{WeightedText{"", 1}});
}

TEST_CASE("round brackets count more, square ones less, and a number says how much")
{
    CHECK(parse_attention_syntax("a (red) circle") ==
          Parts{WeightedText{"a ", 1}, WeightedText{"red", 1.1}, WeightedText{" circle", 1}});
    CHECK(parse_attention_syntax("[red]") == Parts{WeightedText{"red", 1 / 1.1}});
    CHECK(parse_attention_syntax("(red:1.5) (blue: .25 ) (green:-2)") ==
          Parts{WeightedText{"red", 1.5}, WeightedText{" ", 1}, WeightedText{"blue", 0.25}, WeightedText{" ", 1},
                WeightedText{"green", -2}});
}

TEST_CASE("nesting multiplies")
{
    CHECK(parse_attention_syntax("((red):2)") == Parts{WeightedText{"red", 1.1 * 2}});
    CHECK(parse_attention_syntax("(a (b:2):3)") == Parts{WeightedText{"a ", 3}, WeightedText{"b", 6}});
    CHECK(parse_attention_syntax("[(red:1.1)]") == Parts{WeightedText{"red", 1.1 * (1 / 1.1)}});
}

TEST_CASE("a bracket that is never closed reaches to the end; one never opened is text")
{
    CHECK(parse_attention_syntax("a (red circle") == Parts{WeightedText{"a ", 1}, WeightedText{"red circle", 1.1}});
    CHECK(parse_attention_syntax("a red] circle)") == Parts{WeightedText{"a red] circle)", 1}});
    CHECK(parse_attention_syntax("red:1.3)") == Parts{WeightedText{"red:1.3)", 1}});
    CHECK(parse_attention_syntax("(a:b) 16:9") == Parts{WeightedText{"a:b", 1.1}, WeightedText{" 16:9", 1}});
    CHECK(parse_attention_syntax("(a:1.2.3)") == Parts{WeightedText{"a:1.2.3", 1.1}});
}

TEST_CASE("a backslash makes a bracket an ordinary sign")
{
    CHECK(parse_attention_syntax("\\(red\\) \\[x\\] a\\\\b") == Parts{WeightedText{"(red) [x] a\\b", 1}});
    CHECK(parse_attention_syntax("ends with\\") == Parts{WeightedText{"ends with", 1}});
}

TEST_CASE("the word BREAK alone ends a chunk")
{
    CHECK(parse_attention_syntax("a BREAK b") == Parts{WeightedText{"a ", 1}, ChunkBreak{}, WeightedText{" b", 1}});
    CHECK(parse_attention_syntax("BREAKING OUTBREAK") == Parts{WeightedText{"BREAKING OUTBREAK", 1}});
    CHECK(parse_attention_syntax("(a BREAK b:2)") == Parts{WeightedText{"a ", 2}, ChunkBreak{}, WeightedText{" b", 2}});
}

TEST_CASE("any text parses, and weights stay numbers")
{
    const bool held = rc::check([] {
        const auto text = *rc::gen::container<std::string>(rc::gen::elementOf(std::string("()[]:\\ .1-a,")));
        for (const PromptPart& part : parse_attention_syntax(text)) {
            if (const auto* weighted = std::get_if<WeightedText>(&part)) {
                RC_ASSERT(!std::isnan(weighted->weight));
            }
        }
    });
    CHECK(held);
}
