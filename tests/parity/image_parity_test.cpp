// SPDX-License-Identifier: Apache-2.0
// Image to image and inpainting beside Python diffusers; the golden values are make_image_golden.py's.
#include "pipeline/diffusion_pipeline.hpp"
#include "pipeline/png_image.hpp"
#include "pipeline/png_reader.hpp"
#include "pipeline/safetensors_file.hpp"
#include "pipeline/safetensors_writer.hpp"
#include "tests/catch.hpp"
#include "tests/parity/parity.hpp"
#include "tests/unit/pipeline/temp_model.hpp"

#include <fstream>
#include <map>
#include <span>

#include <c10/util/Half.h>
#include <nlohmann/json.hpp>

using namespace sdfleet;
using nlohmann::json;
using test::largest_difference;
using test::relative_l2;
using test::values_of;

namespace {

const std::filesystem::path golden = SDFLEET_SOURCE_DIR "/tests/parity/golden";
const std::filesystem::path model_folder = SDFLEET_SOURCE_DIR "/models/tiny-shapes";
const std::string unet_weights = "unet/diffusion_pytorch_model.safetensors";
const std::string vae_weights = "vae/diffusion_pytorch_model.safetensors";

pipeline::DiffusionPipeline load(const std::filesystem::path& folder)
{
    auto loaded = pipeline::DiffusionPipeline::from_pretrained(folder, test::load_options());
    INFO((loaded ? "" : loaded.error().message));
    REQUIRE(loaded);
    return std::move(*loaded);
}

const pipeline::DiffusionPipeline& tiny_shapes()
{
    // One thread, as the golden values were made; two that wait for each other by spinning starve on a busy machine.
    static const auto loaded = [] {
        pipeline::set_threads(1);
        return load(model_folder);
    }();
    return loaded;
}

std::shared_ptr<const pipeline::InputImage> image(const std::string& name)
{
    auto read = pipeline::read_png(golden / name);
    REQUIRE(read);
    return std::make_shared<pipeline::InputImage>(std::move(*read));
}

pipeline::Picture draw_one(const pipeline::DiffusionPipeline& model, const pipeline::GenerateRequest& request)
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

/// Rewrites a weight file of `model`; `change` gets all tensors by name.
template <class Change>
void rewrite(const test::TempModel& model, const std::string& path, Change change)
{
    const auto file = pipeline::SafetensorsFile::open(model.path() / path);
    REQUIRE(file);
    std::map<std::string, std::pair<std::vector<std::int64_t>, std::vector<float>>> tensors;
    for (const auto& [name, view] : file->tensors()) {
        const auto halves = values_of<c10::Half>(*file, name);
        tensors[name] = {view.shape, {halves.begin(), halves.end()}};
    }
    change(tensors);
    std::vector<pipeline::NamedTensor> named;
    for (const auto& [name, tensor] : tensors) {
        named.push_back({name, "F32", tensor.first, std::as_bytes(std::span(tensor.second))});
    }
    const auto bytes = pipeline::write_safetensors(std::move(named));
    model.write(path, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

/// tiny-shapes with a UNet that takes a mask: the five more input channels have make_image_golden.py's weights.
void widen(const test::TempModel& model)
{
    rewrite(model, unet_weights, [](auto& tensors) {
        auto& [shape, weights] = tensors.at("conv_in.weight");
        constexpr std::size_t old_row = 4 * 9;
        constexpr std::size_t new_row = 5 * 9;
        std::vector<float> wide;
        for (std::size_t out = 0; out < weights.size() / old_row; ++out) {
            wide.insert(wide.end(), &weights[out * old_row], &weights[out * old_row] + old_row);
            for (std::size_t i = out * new_row; i < (out + 1) * new_row; ++i) {
                wide.push_back((static_cast<float>(i * 7919 % 101) - 50.0F) / 512.0F);
            }
        }
        shape[1] = 9;
        weights = wide;
    });
    model.edit("unet/config.json", [](json& config) { config["in_channels"] = 9; });
    model.edit("model_index.json", [](json& index) { index["_class_name"] = "StableDiffusionInpaintPipeline"; });
}

pipeline::GenerateRequest request_of(const json& document, const json& c)
{
    pipeline::GenerateRequest request;
    request.prompts = {document["prompt"].get<std::string>()};
    request.negative_prompts = {document["negative_prompt"].get<std::string>()};
    request.seeds = {document["seed"].get<std::uint64_t>()};
    request.guidance_scale = document["guidance_scale"].get<double>();
    request.width = request.height = document["size"].get<int>();
    request.scheduler = c["scheduler"].get<std::string>();
    request.num_inference_steps = c["steps"].get<int>();
    request.strength = c["strength"].get<double>();
    request.init_image = image("init.png");
    if (c["kind"] != "image") {
        request.mask_image = image("mask.png");
    }
    return request;
}

pipeline::GenerateRequest quick_inpaint()
{
    pipeline::GenerateRequest request;
    request.prompts = {"a green square"};
    request.seeds = {3};
    request.num_inference_steps = 2;
    request.init_image = image("init.png");
    request.mask_image = image("mask.png");
    return request;
}

} // namespace

TEST_CASE("pictures from images equal those of diffusers")
{
    const json document = json::parse(std::ifstream(golden / "image_parity.json"));
    const auto tensors = pipeline::SafetensorsFile::open(golden / "image_parity.safetensors");
    REQUIRE(tensors);
    REQUIRE(document["cases"].size() == 15);
    const test::TempModel wide_folder;
    widen(wide_folder);
    const auto wide = load(wide_folder.path());
    for (const json& c : document["cases"]) {
        const auto name = c["name"].get<std::string>();
        CAPTURE(name);
        const auto picture = draw_one(c["kind"] == "masked" ? wide : tiny_shapes(), request_of(document, c));
        CHECK(relative_l2(picture.latents.values, values_of<float>(*tensors, name + ".latents")) <= 1e-4);
        const auto& decoded = picture.decoded_rgb.empty() ? picture.rgb : picture.decoded_rgb;
        CHECK(largest_difference(decoded, values_of<std::uint8_t>(*tensors, name + ".image")) <= 1);
    }
}

TEST_CASE("an inpaint changes only the mask")
{
    auto request = quick_inpaint();
    const auto& init = *request.init_image;
    const auto& mask = *request.mask_image;
    const auto picture = draw_one(tiny_shapes(), request);
    CHECK(picture.parameters.width == 80); // the init image's own size
    CHECK(picture.parameters.height == 72);
    bool changed_inside = false;
    for (std::size_t i = 0; i < init.rgb.size(); ++i) {
        if (mask.rgb[i] < 128) {
            REQUIRE(picture.rgb[i] == init.rgb[i]);
        } else {
            changed_inside = changed_inside || picture.rgb[i] != init.rgb[i];
        }
    }
    CHECK(changed_inside);

    request.keep_unmasked = false;
    const auto as_decoded = draw_one(tiny_shapes(), request);
    CHECK(as_decoded.rgb == picture.decoded_rgb);
    CHECK(as_decoded.rgb != picture.rgb);
    CHECK(as_decoded.decoded_rgb.empty());
}

TEST_CASE("a black mask keeps the whole image, and a second picture from it does not depend on the first")
{
    auto request = quick_inpaint();
    auto black = *request.mask_image;
    std::fill(black.rgb.begin(), black.rgb.end(), std::uint8_t{127});
    auto alone = request;
    request.mask_image = std::make_shared<pipeline::InputImage>(black);
    CHECK(draw_one(tiny_shapes(), request).rgb == request.init_image->rgb);

    alone.seeds = {4};
    auto both = alone;
    both.prompts = {"a red circle", "a green square"};
    both.seeds = {3, 4};
    CHECK(draw_one(tiny_shapes(), both).rgb == draw_one(tiny_shapes(), alone).rgb);
}

TEST_CASE("what a picture was drawn from goes into its metadata")
{
    auto request = quick_inpaint();
    const auto picture = draw_one(tiny_shapes(), request);
    CHECK(picture.parameters.init_image_sha256 == request.init_image->sha256);
    CHECK(picture.parameters.mask_image_sha256 == request.mask_image->sha256);
    CHECK(picture.parameters.strength == 1.0);
    CHECK(picture.parameters.keep_unmasked == true);
}

TEST_CASE("steps that strength leaves out are not counted")
{
    auto request = quick_inpaint();
    request.mask_image.reset();
    request.scheduler = "pndm";
    request.num_inference_steps = 4;
    request.strength = 0.5;
    CHECK(*tiny_shapes().calls_per_picture(request) == 3); // of 5 calls
}

TEST_CASE("a model that fills in masks asks for one")
{
    const test::TempModel folder;
    widen(folder);
    auto request = quick_inpaint();
    request.mask_image.reset();
    const auto checked = load(folder.path()).check(request);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == base::ExitCode::usage);
    CHECK_THAT(checked.error().message, ContainsSubstring("needs an init image and a mask"));
}

TEST_CASE("a folder without the autoencoder's encoder draws from text, and says so when given an image")
{
    const test::TempModel folder;
    rewrite(folder, vae_weights, [](auto& tensors) {
        std::erase_if(tensors, [](const auto& t) {
            return t.first.starts_with("encoder.") || t.first.starts_with("quant_conv.");
        });
    });
    const auto model = load(folder.path());
    auto request = quick_inpaint();
    const auto result = model.generate(request, [](std::size_t, pipeline::Picture&&) { return base::Result<void>{}; });
    REQUIRE_FALSE(result);
    CHECK(result.error().code == base::ExitCode::bad_input);
    CHECK_THAT(result.error().message, ContainsSubstring("has no tensors 'encoder.*'"));
    request.init_image.reset();
    request.mask_image.reset();
    draw_one(model, request);
}

TEST_CASE("an encoder that does not fit its config is refused by the tensor's name")
{
    const test::TempModel folder;
    rewrite(folder, vae_weights, [](auto& tensors) { tensors.erase("encoder.down_blocks.1.resnets.0.conv1.weight"); });
    const auto model = load(folder.path());
    const auto result =
        model.generate(quick_inpaint(), [](std::size_t, pipeline::Picture&&) { return base::Result<void>{}; });
    REQUIRE_FALSE(result);
    CHECK(result.error().code == base::ExitCode::bad_input);
    CHECK_THAT(result.error().message,
               ContainsSubstring("tensor 'encoder.down_blocks.1.resnets.0.conv1.weight' is missing"));
}
