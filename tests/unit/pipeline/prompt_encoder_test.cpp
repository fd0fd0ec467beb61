// SPDX-License-Identifier: Apache-2.0
#include "pipeline/pipeline_parts.hpp"

#include "temp_model.hpp"
#include "tests/catch.hpp"

#include <algorithm>

#include <ATen/ops/equal.h>
#include <c10/core/InferenceMode.h>

using namespace sdfleet;
using nlohmann::json;

namespace {

const std::filesystem::path sdxl = SDFLEET_SOURCE_DIR "/tests/parity/golden/sdxl/model";
const std::string prompt = "a red circle";

pipeline::PromptEncoder encoder_of(const std::filesystem::path& folder)
{
    auto parts = pipeline::PipelineParts::load(folder, at::TensorOptions().dtype(at::kFloat));
    INFO((parts ? "" : parts.error().message));
    REQUIRE(parts);
    return std::move(parts->prompts);
}

/// The pooled text where text_encoder_2 says that a text ends with token `eos`.
at::Tensor pooled_with_end(std::int64_t eos)
{
    const test::TempModel model(sdxl);
    model.edit("text_encoder_2/config.json", [&](json& c) { c["eos_token_id"] = eos; });
    return encoder_of(model.path()).encode(prompt).pooled;
}

} // namespace

TEST_CASE("the pooled text is read where the text ends, not at its padding")
{
    const c10::InferenceMode inference;
    const auto ids = encoder_of(sdxl).encoders().at(1).tokenizer.encode(prompt);
    const std::int64_t eos = *std::max_element(ids.begin(), ids.end());
    REQUIRE(ids.back() != eos); // padded with another token
    const at::Tensor pooled = pooled_with_end(eos);
    CHECK(at::equal(pooled, pooled_with_end(2))); // old files: the largest id
    CHECK_FALSE(at::equal(pooled, pooled_with_end(ids.at(1))));
}

TEST_CASE("two text encoders stand side by side, and clip skip concerns the embeddings, not the pooled text")
{
    const c10::InferenceMode inference;
    const auto prompts = encoder_of(sdxl);
    const auto plain = prompts.encode(prompt);
    CHECK(plain.embeds.sizes() == at::IntArrayRef({1, 77, 32 + 48}));
    CHECK(plain.pooled.sizes() == at::IntArrayRef({1, 40}));
    CHECK(prompts.max_clip_skip() == 2);
    for (int skip = 1; skip <= prompts.max_clip_skip(); ++skip) {
        const auto skipped = prompts.encode(prompt, {pipeline::PromptSyntax::plain, skip});
        CHECK_FALSE(at::equal(skipped.embeds, plain.embeds));
        CHECK(at::equal(skipped.pooled, plain.pooled));
    }
}

TEST_CASE("one text encoder has no pooled text, and may skip all of its layers")
{
    const c10::InferenceMode inference;
    const auto prompts = encoder_of(SDFLEET_SOURCE_DIR "/models/tiny-shapes");
    CHECK(prompts.max_clip_skip() == 2);
    const auto plain = prompts.encode(prompt);
    CHECK_FALSE(plain.pooled.defined());
    CHECK_FALSE(at::equal(prompts.encode(prompt, {pipeline::PromptSyntax::plain, 2}).embeds, plain.embeds));
    CHECK(at::equal(prompts.encode(prompt, {pipeline::PromptSyntax::plain, 0}).embeds, plain.embeds));
}
