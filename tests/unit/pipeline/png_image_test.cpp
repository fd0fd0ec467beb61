// SPDX-License-Identifier: Apache-2.0
#include "pipeline/png_image.hpp"

#include "tests/catch.hpp"

#include <map>
#include <memory>

#include <nlohmann/json.hpp>
#include <spng.h>

using namespace sdfleet;
using pipeline::PictureParameters;

namespace {

PictureParameters example()
{
    return {"a red circle", "", 42, 20, 4.5, 2, 1, "euler", "tiny-shapes", "fp32"};
}

struct Decoded {
    std::vector<std::uint8_t> rgb;
    std::map<std::string, std::pair<int, std::string>> texts; ///< by keyword: chunk type, text
};

Decoded decode(const std::vector<std::byte>& png)
{
    const std::unique_ptr<spng_ctx, void (*)(spng_ctx*)> context(spng_ctx_new(0), spng_ctx_free);
    REQUIRE(spng_set_png_buffer(context.get(), png.data(), png.size()) == 0);
    Decoded decoded;
    std::size_t bytes = 0;
    REQUIRE(spng_decoded_image_size(context.get(), SPNG_FMT_RGB8, &bytes) == 0);
    decoded.rgb.resize(bytes);
    REQUIRE(spng_decode_image(context.get(), decoded.rgb.data(), bytes, SPNG_FMT_RGB8, 0) == 0);
    std::uint32_t count = 0;
    REQUIRE(spng_get_text(context.get(), nullptr, &count) == 0);
    std::vector<spng_text> texts(count);
    REQUIRE(spng_get_text(context.get(), texts.data(), &count) == 0);
    for (const spng_text& text : texts) {
        decoded.texts[text.keyword] = {text.type, std::string(text.text, text.length)};
    }
    return decoded;
}

std::vector<std::byte> encode(const PictureParameters& parameters)
{
    const std::vector<std::uint8_t> rgb{255, 0, 0, 1, 2, 3};
    auto png = pipeline::encode_picture_png(rgb, parameters);
    REQUIRE(png);
    return *png;
}

} // namespace

TEST_CASE("the parameters text is what image tools parse")
{
    PictureParameters parameters = example();
    CHECK(pipeline::parameters_text(parameters) ==
          "a red circle\nSteps: 20, Sampler: Euler, CFG scale: 4.5, Seed: 42, Size: 2x1, Model: tiny-shapes, RNG: CPU, "
          "Version: sdfleet " SDFLEET_VERSION);
    parameters.negative_prompt = "blur";
    parameters.model_name = "a, b";
    CHECK_THAT(pipeline::parameters_text(parameters),
               StartsWith("a red circle\nNegative prompt: blur\nSteps: 20") && ContainsSubstring("Model: \"a, b\""));
}

TEST_CASE("clip skip stands in both texts, in the one counted from 1 as image tools do")
{
    PictureParameters parameters = example();
    parameters.clip_skip = 1;
    CHECK_THAT(pipeline::parameters_text(parameters), ContainsSubstring("Size: 2x1, Clip skip: 2, Model"));
    CHECK(nlohmann::json::parse(pipeline::replay_json(parameters))["clip_skip"] == 1);
    parameters.clip_skip.reset();
    CHECK_FALSE(nlohmann::json::parse(pipeline::replay_json(parameters)).contains("clip_skip"));
}

TEST_CASE("no negative prompt at all is not an empty one")
{
    PictureParameters parameters = example();
    CHECK(nlohmann::json::parse(pipeline::replay_json(parameters))["negative_prompt"] == "");
    parameters.negative_prompt.reset();
    CHECK(nlohmann::json::parse(pipeline::replay_json(parameters))["negative_prompt"].is_null());
    CHECK(pipeline::parameters_text(parameters) == pipeline::parameters_text(example()));
}

TEST_CASE("what a picture was drawn from is in its texts, and nothing where it was drawn from noise alone")
{
    PictureParameters parameters = example();
    for (const char* key : {"init_image_sha256", "mask_image_sha256", "strength", "keep_unmasked"}) {
        CHECK_FALSE(nlohmann::json::parse(pipeline::replay_json(parameters)).contains(key));
    }
    parameters.init_image_sha256 = "aa";
    parameters.strength = 0.75;
    parameters.mask_image_sha256 = "bb";
    parameters.keep_unmasked = true;
    CHECK_THAT(pipeline::parameters_text(parameters), ContainsSubstring(", Denoising strength: 0.75, RNG: CPU"));
    const auto replay = nlohmann::json::parse(pipeline::replay_json(parameters));
    CHECK(replay["init_image_sha256"] == "aa");
    CHECK(replay["strength"] == 0.75);
    CHECK(replay["mask_image_sha256"] == "bb");
    CHECK(replay["keep_unmasked"] == true);
}

TEST_CASE("a PNG holds the pixels and both texts")
{
    const auto decoded = decode(encode(example()));
    CHECK(decoded.rgb == std::vector<std::uint8_t>{255, 0, 0, 1, 2, 3});
    CHECK(decoded.texts.at("parameters").first == SPNG_TEXT);
    CHECK(decoded.texts.at("parameters").second == pipeline::parameters_text(example()));
    const auto replay = nlohmann::json::parse(decoded.texts.at("sdfleet").second);
    CHECK(replay["prompt"] == "a red circle");
    CHECK(replay["seed"] == 42);
    CHECK(replay["guidance_scale"] == 4.5);
    CHECK(replay["scheduler"] == "euler");
    CHECK(replay["model"] == "tiny-shapes");
    CHECK(replay["version"] == SDFLEET_VERSION);
}

TEST_CASE("Latin-1 prompts go into tEXt, others into iTXt, both readable")
{
    PictureParameters parameters = example();
    parameters.prompt = "café"; // U+00E9
    auto decoded = decode(encode(parameters));
    CHECK(decoded.texts.at("parameters").first == SPNG_TEXT);
    CHECK_THAT(decoded.texts.at("parameters").second, StartsWith("caf\xe9\n"));

    parameters.prompt = "赤い円 🔴";
    decoded = decode(encode(parameters));
    CHECK(decoded.texts.at("parameters").first == SPNG_ITXT);
    CHECK_THAT(decoded.texts.at("parameters").second, StartsWith("赤い円 🔴\n"));
    CHECK(nlohmann::json::parse(decoded.texts.at("sdfleet").second)["prompt"] == parameters.prompt);
}

TEST_CASE("equal parameters give equal bytes, another seed gives others")
{
    PictureParameters parameters = example();
    CHECK(encode(parameters) == encode(example()));
    parameters.seed = 43;
    CHECK(encode(parameters) != encode(example()));
}
