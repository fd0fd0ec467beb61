// SPDX-License-Identifier: Apache-2.0
// The pipeline beside Python diffusers on the same model folder; the golden values are make_golden.py's.
#include "pipeline/clip_tokenizer.hpp"
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
const std::filesystem::path model_folder = SDFLEET_SOURCE_DIR "/models/tiny-shapes";

const pipeline::DiffusionPipeline& model()
{
    // One thread, as the golden values were made; two that wait for each other by spinning starve on a busy machine.
    static const auto loaded = [] {
        pipeline::set_threads(1);
        return pipeline::DiffusionPipeline::from_pretrained(model_folder, test::load_options());
    }();
    INFO((loaded ? "" : loaded.error().message));
    REQUIRE(loaded);
    return *loaded;
}

pipeline::Picture draw_one(const pipeline::GenerateRequest& request)
{
    pipeline::Picture drawn;
    const auto result = model().generate(request, [&](std::size_t, pipeline::Picture&& picture) {
        drawn = std::move(picture);
        return base::Result<void>{};
    });
    INFO((result ? "" : result.error().message));
    REQUIRE(result);
    return drawn;
}

pipeline::GenerateRequest quick_request(std::vector<std::string> prompts)
{
    pipeline::GenerateRequest request;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
        request.seeds.push_back(100 + i);
    }
    request.prompts = std::move(prompts);
    request.num_inference_steps = 2;
    request.guidance_scale = 4;
    return request;
}

} // namespace

TEST_CASE("embeddings, latents and pictures equal those of diffusers")
{
    const json document = json::parse(std::ifstream(golden / "parity.json"));
    const auto tensors = pipeline::SafetensorsFile::open(golden / "parity.safetensors");
    REQUIRE(tensors);
    REQUIRE(document["cases"].size() == 18);
    for (const json& c : document["cases"]) {
        const auto name = c["name"].get<std::string>();
        CAPTURE(name);
        pipeline::GenerateRequest request;
        request.prompts = {document["prompt"].get<std::string>()};
        request.negative_prompts = {document["negative_prompt"].get<std::string>()};
        request.seeds = {document["seed"].get<std::uint64_t>()};
        request.num_inference_steps = c["steps"].get<int>();
        request.guidance_scale = c["guidance_scale"].get<double>();
        request.scheduler = c["scheduler"].get<std::string>();
        const auto picture = draw_one(request);
        CHECK(relative_l2(picture.prompt_embeds.values, values_of<float>(*tensors, "prompt_embeds")) <= 1e-5);
        if (request.guidance_scale > 1) {
            CHECK(relative_l2(picture.negative_prompt_embeds.values,
                              values_of<float>(*tensors, "negative_prompt_embeds")) <= 1e-5);
        }
        CHECK(relative_l2(picture.latents.values, values_of<float>(*tensors, name + ".latents")) <= 1e-4);
        CHECK(largest_difference(picture.rgb, values_of<std::uint8_t>(*tensors, name + ".image")) <= 1);
    }
}

TEST_CASE("token ids equal those of transformers")
{
    const auto tokenizer = pipeline::ClipTokenizer::load(model_folder / "tokenizer");
    REQUIRE(tokenizer);
    std::ifstream lines(golden / "tokens.jsonl");
    int texts = 0;
    for (std::string line; std::getline(lines, line); ++texts) {
        const json entry = json::parse(line);
        CAPTURE(entry["text"].dump());
        CHECK(tokenizer->encode(entry["text"].get<std::string>()) == entry["ids"].get<std::vector<std::int64_t>>());
    }
    CHECK(texts >= 40);
}

TEST_CASE("a picture does not depend on the pictures beside it")
{
    std::vector<std::vector<std::uint8_t>> together;
    REQUIRE(model().generate(quick_request({"a red circle", "a blue square"}), [&](std::size_t, pipeline::Picture&& p) {
        together.push_back(std::move(p.rgb));
        return base::Result<void>{};
    }));
    auto second = quick_request({"a blue square"});
    second.seeds = {101};
    CHECK(draw_one(second).rgb == together.at(1));
}

TEST_CASE("a picture does not depend on the number of threads")
{
    auto request = quick_request({"a small yellow star above a blue square on a black background"});
    request.num_inference_steps = 6;
    pipeline::set_threads(1);
    const auto one = draw_one(request);
    pipeline::set_threads(2);
    const auto two = draw_one(request);
    pipeline::set_threads(1);
    if (model().is_fast()) {
        // Products of several rows, of all steps at once, are split among threads.
        CHECK(relative_l2(one.latents.values, two.latents.values) <= 1e-5);
        return;
    }
    CHECK(one.rgb == two.rgb);
    CHECK(one.latents.values == two.latents.values);
}

TEST_CASE("seeds count modulo 2^32")
{
    auto request = quick_request({"a red circle"});
    const auto small = draw_one(request);
    request.seeds = {100 + (std::uint64_t{1} << 32)};
    CHECK(draw_one(request).rgb == small.rgb);
}

TEST_CASE("other sizes than the model's own are drawn, odd latent sizes too")
{
    auto request = quick_request({"a red circle"});
    request.height = 72;
    request.width = 104; // 26 latents wide: halved to 13 and 7, and back
    const auto picture = draw_one(request);
    CHECK(picture.latents.shape == std::vector<std::int64_t>{4, 18, 26});
    CHECK(picture.rgb.size() == 72U * 104U * 3U);
}

TEST_CASE("progress is reported after each step, and drawing stops between steps when asked to")
{
    auto request = quick_request({"a red circle", "a blue square"});
    request.scheduler = "pndm"; // one call more than steps
    std::vector<std::pair<int, int>> seen;
    int pictures = 0;
    const auto stopped = model().generate(
        request,
        [&](std::size_t, pipeline::Picture&&) {
            ++pictures;
            return base::Result<void>{};
        },
        [&](int step, int steps) {
            seen.emplace_back(step, steps);
            return step < 5;
        });
    REQUIRE_FALSE(stopped);
    CHECK(stopped.error().code == base::ExitCode::interrupted);
    CHECK(pictures == 1);
    CHECK(seen == std::vector<std::pair<int, int>>{{1, 6}, {2, 6}, {3, 6}, {4, 6}, {5, 6}});
}

TEST_CASE("the model refuses what it cannot draw before it draws anything")
{
    auto request = quick_request({"a red circle"});
    request.width = 60;
    CHECK(model().check(request).error().code == base::ExitCode::usage);
    request.width = 64;
    request.scheduler = "ddim";
    request.num_inference_steps = 1000; // beyond the trained timesteps with this folder's steps_offset
    CHECK(model().check(request).error().code == base::ExitCode::usage);
}

TEST_CASE("a short prompt without brackets is the same picture in both syntaxes, and emphasis changes it")
{
    auto request = quick_request({"a red circle"});
    const auto plain = draw_one(request);
    request.prompt_syntax = pipeline::PromptSyntax::a1111;
    CHECK(draw_one(request).rgb == plain.rgb);
    request.prompts = {"a (red:1.4) circle"};
    const auto emphasised = draw_one(request);
    CHECK(emphasised.prompt_embeds.shape == plain.prompt_embeds.shape);
    CHECK(emphasised.latents.values != plain.latents.values);
}

TEST_CASE("a prompt beyond the text encoder's length goes on in further chunks, and the negative prompt is as long")
{
    std::string text = "a red circle";
    for (int i = 0; i < 40; ++i) {
        text += " and a blue square";
    }
    auto request = quick_request({text});
    CHECK(draw_one(request).prompt_embeds.shape == std::vector<std::int64_t>{32, 64});
    request.prompt_syntax = pipeline::PromptSyntax::a1111;
    const auto picture = draw_one(request);
    CHECK(picture.prompt_embeds.shape.at(0) == 32 * 6);
    CHECK(picture.negative_prompt_embeds.shape == picture.prompt_embeds.shape);
    request.prompts = {std::string("a") + [] {
        std::string breaks;
        for (int i = 0; i < 40; ++i) {
            breaks += " BREAK";
        }
        return breaks;
    }()};
    CHECK(model().check(request).error().code == base::ExitCode::usage);
}
