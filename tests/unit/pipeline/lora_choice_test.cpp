// SPDX-License-Identifier: Apache-2.0
#include "pipeline/lora_choice.hpp"

#include "tests/catch.hpp"

#include <limits>

using namespace sdfleet;
using pipeline::LoraChoice;
using pipeline::parse_lora_choice;

TEST_CASE("a LoRA is a file, with a weight behind the last colon if there is a number")
{
    CHECK(parse_lora_choice("style.safetensors") == LoraChoice{"style.safetensors", 1});
    CHECK(parse_lora_choice("style.safetensors:0.5") == LoraChoice{"style.safetensors", 0.5});
    CHECK(parse_lora_choice("a:b.safetensors:-2") == LoraChoice{"a:b.safetensors", -2});
    CHECK(parse_lora_choice("c:style.safetensors") == LoraChoice{"c:style.safetensors", 1});
    CHECK(parse_lora_choice("style.safetensors:") == LoraChoice{"style.safetensors:", 1});
    CHECK(parse_lora_choice(":1") == LoraChoice{":1", 1});
}

TEST_CASE("weights are numbers from -10 to 10, and LoRAs at most 16")
{
    CHECK(pipeline::check_lora_choices({{"a", 10}, {"b", -10}, {"c", 0}}));
    for (const double weight :
         {10.5, -11.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
        const auto checked = pipeline::check_lora_choices({{"a.safetensors", weight}});
        REQUIRE_FALSE(checked);
        CHECK(checked.error().code == base::ExitCode::usage);
        CHECK_THAT(checked.error().message, ContainsSubstring("a.safetensors"));
    }
    CHECK_FALSE(pipeline::check_lora_choices(std::vector<LoraChoice>(17, {"a", 1})));
}

TEST_CASE("a LoRA's name fits between the signs of a prompt's tag")
{
    CHECK(pipeline::lora_name("/models/loras/outline.safetensors") == "outline");
    CHECK(pipeline::lora_name("a<b>:c.safetensors") == "a_b__c");
    CHECK(pipeline::lora_name("caf\xe9.safetensors") == "caf_");
}
