// SPDX-License-Identifier: Apache-2.0
// LoRAs beside Python diffusers; the golden values are make_lora_golden.py's.
#include "pipeline/diffusion_pipeline.hpp"
#include "pipeline/safetensors_writer.hpp"
#include "tests/catch.hpp"
#include "tests/parity/parity.hpp"
#include "tests/unit/pipeline/temp_model.hpp"

#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

using namespace sdfleet;
using nlohmann::json;
using test::largest_difference;
using test::relative_l2;
using test::values_of;

namespace {

const std::filesystem::path golden = SDFLEET_SOURCE_DIR "/tests/parity/golden/lora";
const std::filesystem::path model_folder = SDFLEET_SOURCE_DIR "/models/tiny-shapes";

const pipeline::DiffusionPipeline& model()
{
    static const auto loaded = [] {
        pipeline::set_threads(1);
        return pipeline::DiffusionPipeline::from_pretrained(model_folder, test::load_options());
    }();
    REQUIRE(loaded);
    return *loaded;
}

pipeline::GenerateRequest request_with(std::vector<pipeline::LoraChoice> loras)
{
    pipeline::GenerateRequest request;
    request.prompts = {"a red circle"};
    request.seeds = {7};
    request.num_inference_steps = 2;
    request.guidance_scale = 4;
    request.loras = std::move(loras);
    return request;
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

base::Error refusal(const std::filesystem::path& lora)
{
    const auto result = model().generate(request_with({{lora, 1}}), [](std::size_t, pipeline::Picture&&) {
        FAIL("a picture was drawn");
        return base::Result<void>{};
    });
    REQUIRE_FALSE(result);
    return result.error();
}

/// A LoRA of one layer: rank 2, `in` inputs.
std::string lora_bytes(const std::string& layer, std::int64_t in, std::int64_t out)
{
    const std::vector<float> zeros(static_cast<std::size_t>(2 * std::max(in, out)));
    const auto bytes = [&](std::int64_t n) {
        return std::as_bytes(std::span(zeros.data(), static_cast<std::size_t>(n)));
    };
    const auto file = pipeline::write_safetensors({{layer + ".lora_A.weight", "F32", {2, in}, bytes(2 * in)},
                                                   {layer + ".lora_B.weight", "F32", {out, 2}, bytes(2 * out)}});
    return {reinterpret_cast<const char*>(file.data()), file.size()};
}

} // namespace

TEST_CASE("pictures drawn with LoRAs equal those of diffusers")
{
    const json document = json::parse(std::ifstream(golden / "lora.json"));
    const auto tensors = pipeline::SafetensorsFile::open(golden / "lora.safetensors");
    REQUIRE(tensors);
    REQUIRE(document["cases"].size() == 3);
    for (const json& c : document["cases"]) {
        const auto name = c["name"].get<std::string>();
        CAPTURE(name);
        pipeline::GenerateRequest request;
        request.prompts = {document["prompt"].get<std::string>()};
        request.negative_prompts = {document["negative_prompt"].get<std::string>()};
        request.seeds = {document["seed"].get<std::uint64_t>()};
        request.guidance_scale = document["guidance_scale"].get<double>();
        request.num_inference_steps = c["steps"].get<int>();
        request.scheduler = c["scheduler"].get<std::string>();
        for (const json& lora : c["loras"]) {
            request.loras.push_back({golden / (lora[0].get<std::string>() + ".safetensors"), lora[1].get<double>()});
        }
        const auto picture = draw_one(request);
        CHECK(relative_l2(picture.latents.values, values_of<float>(*tensors, name + ".latents")) <= 1e-4);
        CHECK(largest_difference(picture.rgb, values_of<std::uint8_t>(*tensors, name + ".image")) <= 1);
    }
}

TEST_CASE("a LoRA changes the drawing; without it, or at weight 0, the model is what it was to the byte")
{
    const auto before = draw_one(request_with({}));
    const auto with = draw_one(request_with({{golden / "peft.safetensors", 1}}));
    CHECK(with.rgb != before.rgb);
    REQUIRE(with.parameters.loras.size() == 1);
    CHECK(with.parameters.loras[0].name == "peft");
    const auto at_zero = draw_one(request_with({{golden / "peft.safetensors", 0}}));
    CHECK(at_zero.rgb == before.rgb);
    CHECK(at_zero.latents.values == before.latents.values);
    CHECK(at_zero.parameters == before.parameters);
    CHECK(draw_one(request_with({})).latents.values == before.latents.values);
}

TEST_CASE("the LoRA that comes with tiny-shapes fits it")
{
    const auto plain = draw_one(request_with({}));
    const auto outlined =
        draw_one(request_with({{SDFLEET_SOURCE_DIR "/models/tiny-outline/outline.safetensors", 0.8}}));
    CHECK(outlined.rgb != plain.rgb);
    CHECK(outlined.parameters.loras.at(0).name == "outline");
}

TEST_CASE("what was drawn before does not matter, nor in which order LoRAs are named")
{
    const pipeline::LoraChoice peft{golden / "peft.safetensors", 0.7};
    const pipeline::LoraChoice kohya{golden / "kohya.safetensors", 1.2};
    const auto both = draw_one(request_with({peft, kohya}));
    draw_one(request_with({kohya}));
    CHECK(draw_one(request_with({kohya, peft})).latents.values == both.latents.values);
}

TEST_CASE("a LoRA for another architecture is refused by the first key that does not fit, and changes nothing")
{
    const test::TempModel folder;
    const auto before = draw_one(request_with({}));
    folder.write("deeper.safetensors",
                 lora_bytes("unet.down_blocks.7.attentions.0.transformer_blocks.0.attn1.to_q", 64, 64));
    folder.write("wider.safetensors", lora_bytes("text_encoder.encoder.layers.0.self_attn.q_proj", 768, 768));
    folder.write("sdxl.safetensors", lora_bytes("text_encoder_2.encoder.layers.0.self_attn.q_proj", 64, 64));
    folder.write("other.safetensors", lora_bytes("transformer.single_blocks.0.attn.to_q", 64, 64));
    for (const auto& [file, key] : std::vector<std::pair<std::string, std::string>>{{"deeper", "down_blocks.7"},
                                                                                    {"wider", "q_proj"},
                                                                                    {"sdxl", "text_encoder_2"},
                                                                                    {"other", "single_blocks"}}) {
        const auto error = refusal(folder.path() / (file + ".safetensors"));
        CAPTURE(error.message);
        CHECK(error.code == base::ExitCode::bad_input);
        CHECK_THAT(error.message, ContainsSubstring(file + ".safetensors") && ContainsSubstring(key));
    }
    CHECK(draw_one(request_with({})).latents.values == before.latents.values);
}

TEST_CASE("a file that is no LoRA is refused")
{
    const test::TempModel folder;
    folder.write("text.safetensors", "this is not a LoRA, whatever its name says");
    CHECK(refusal(folder.path() / "text.safetensors").code == base::ExitCode::bad_input);
    CHECK(refusal(folder.path() / "missing.safetensors").code == base::ExitCode::bad_input);
    CHECK(refusal(folder.path()).code == base::ExitCode::bad_input);
    CHECK_THAT(refusal(model_folder / "unet" / "diffusion_pytorch_model.safetensors").message,
               ContainsSubstring("diffusion_pytorch_model.safetensors"));
}
