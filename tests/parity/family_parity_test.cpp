// SPDX-License-Identifier: Apache-2.0
// Each family's tiny random model beside Python diffusers; models and golden values are make_family_golden.py's.
#include "pipeline/diffusion_pipeline.hpp"
#include "pipeline/safetensors_file.hpp"
#include "tests/catch.hpp"
#include "tests/parity/parity.hpp"

#include <fstream>

#include <nlohmann/json.hpp>

using namespace sdfleet;
using nlohmann::json;
using test::largest_difference;
using test::relative_l2;
using test::values_of;

namespace {

const std::filesystem::path golden = SDFLEET_SOURCE_DIR "/tests/parity/golden";

pipeline::DiffusionPipeline load(const std::string& family)
{
    auto loaded = pipeline::DiffusionPipeline::from_pretrained(golden / family / "model", test::load_options());
    INFO((loaded ? "" : loaded.error().message));
    REQUIRE(loaded);
    return std::move(*loaded);
}

pipeline::GenerateRequest request_of(const json& document, const json& c)
{
    pipeline::GenerateRequest request;
    request.prompts = {document["prompt"].get<std::string>()};
    request.seeds = {document["seed"].get<std::uint64_t>()};
    request.num_inference_steps = document["steps"].get<int>();
    request.guidance_scale = c["guidance_scale"].get<double>();
    if (c.contains("negative_prompt")) {
        request.negative_prompts = {c["negative_prompt"].get<std::string>()};
    }
    const auto number = [&](const char* key) {
        return c.contains(key) ? std::optional(c[key].get<int>()) : std::nullopt;
    };
    request.clip_skip = number("clip_skip");
    request.height = number("height");
    request.width = number("width");
    return request;
}

pipeline::Picture draw(const pipeline::DiffusionPipeline& model, const pipeline::GenerateRequest& request)
{
    pipeline::Picture drawn;
    const auto result = model.generate(request, [&](std::size_t, pipeline::Picture&& picture) {
        drawn = std::move(picture);
        return base::Result<void>{};
    });
    INFO((result ? "" : result.error().message));
    REQUIRE(result);
    return drawn;
}

/// Both have the tensor and it is the same within `bound`, or neither has it.
void check_tensor(const pipeline::HostTensor& ours, const pipeline::SafetensorsFile& theirs, const std::string& name,
                  double bound)
{
    CAPTURE(name);
    REQUIRE(ours.values.empty() != theirs.tensors().contains(name));
    if (ours.values.empty()) {
        return;
    }
    CHECK(ours.shape == theirs.tensors().at(name).shape);
    const auto expected = values_of<float>(theirs, name);
    const bool zeros = std::all_of(expected.begin(), expected.end(), [](float v) { return v == 0; });
    if (zeros) {
        CHECK(ours.values == expected);
    } else {
        CHECK(relative_l2(ours.values, expected) <= bound);
    }
}

void check_family(const std::string& family, std::size_t cases)
{
    const auto model = load(family);
    const json document = json::parse(std::ifstream(golden / family / "golden.json"));
    const auto tensors = pipeline::SafetensorsFile::open(golden / family / "golden.safetensors");
    REQUIRE(tensors);
    REQUIRE(document["cases"].size() == cases);
    for (const json& c : document["cases"]) {
        const auto name = c["name"].get<std::string>();
        CAPTURE(family, name);
        const auto picture = draw(model, request_of(document, c));
        const auto check = [&](const pipeline::HostTensor& ours, const char* tensor, double bound) {
            check_tensor(ours, *tensors, name + "." + tensor, bound);
        };
        check(picture.prompt_embeds, "prompt_embeds", 1e-5);
        check(picture.negative_prompt_embeds, "negative_prompt_embeds", 1e-5);
        check(picture.pooled_prompt_embeds, "pooled_prompt_embeds", 1e-5);
        check(picture.negative_pooled_prompt_embeds, "negative_pooled_prompt_embeds", 1e-5);
        check(picture.latents, "latents", 1e-4);
        CHECK(largest_difference(picture.rgb, values_of<std::uint8_t>(*tensors, name + ".image")) <= 1);
    }
}

} // namespace

TEST_CASE("Stable Diffusion 2 draws as diffusers does")
{
    check_family("sd2", 3);
}

TEST_CASE("SDXL draws as diffusers does")
{
    check_family("sdxl", 6);
}

TEST_CASE("a latent consistency model draws as diffusers does")
{
    check_family("lcm", 3);
}

TEST_CASE("SDXL tells no negative prompt from an empty one, in the picture and in its parameters")
{
    const auto model = load("sdxl");
    pipeline::GenerateRequest request;
    request.prompts = {"a cat"};
    request.seeds = {1};
    request.num_inference_steps = 1;
    const auto without = draw(model, request);
    request.negative_prompts = {""};
    const auto empty = draw(model, request);
    CHECK(without.rgb != empty.rgb);
    CHECK_FALSE(without.parameters.negative_prompt);
    CHECK(empty.parameters.negative_prompt == "");
}

TEST_CASE("a distilled model takes its guidance from the embedding, in one call per step")
{
    const auto model = load("lcm");
    pipeline::GenerateRequest request;
    request.prompts = {"a cat"};
    request.seeds = {1};
    request.num_inference_steps = 2;
    request.guidance_scale = 8;
    const auto strong = draw(model, request);
    CHECK(strong.negative_prompt_embeds.values.empty());
    request.guidance_scale = 2;
    CHECK(draw(model, request).latents.values != strong.latents.values);
}

TEST_CASE("clip skip is bounded by the layers there are")
{
    const auto model = load("sdxl"); // three layers, of which the last never has a say
    pipeline::GenerateRequest request;
    request.prompts = {"a cat"};
    request.seeds = {1};
    request.clip_skip = 2;
    CHECK(model.check(request));
    request.clip_skip = 3;
    REQUIRE_FALSE(model.check(request));
    CHECK(model.check(request).error().code == base::ExitCode::usage);
    CHECK_THAT(model.check(request).error().message, ContainsSubstring("clip skip is 3"));
    request.clip_skip = -1;
    CHECK(model.check(request).error().code == base::ExitCode::usage);
}
