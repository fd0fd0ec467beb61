// SPDX-License-Identifier: Apache-2.0
// Every way in which a model folder can be wrong ends in one line that names the file, and in ExitCode::bad_input.
#include "pipeline/diffusion_pipeline.hpp"

#include "temp_model.hpp"
#include "tests/catch.hpp"

using namespace sdfleet;
using nlohmann::json;

namespace {

void check_refused(const std::filesystem::path& folder, const std::string& file, const std::string& what)
{
    CAPTURE(file, what);
    const auto loaded = pipeline::DiffusionPipeline::from_pretrained(folder, {});
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().code == base::ExitCode::bad_input);
    CHECK_THAT(loaded.error().message, ContainsSubstring(file) && ContainsSubstring(what));
    CHECK(loaded.error().message.find('\n') == std::string::npos);
}

const std::filesystem::path golden_folder = SDFLEET_SOURCE_DIR "/tests/parity/golden";
const std::string unet_weights = "unet/diffusion_pytorch_model.safetensors";

} // namespace

TEST_CASE("a sound folder loads, with its own sizes")
{
    const test::TempModel model;
    const auto loaded = pipeline::DiffusionPipeline::from_pretrained(model.path(), {});
    INFO((loaded ? "" : loaded.error().message));
    REQUIRE(loaded);
    CHECK(loaded->default_height() == 64);
    CHECK(loaded->default_width() == 64);
    CHECK(loaded->own_scheduler() == "euler");
    CHECK(loaded->model_name() == model.path().filename());
}

TEST_CASE("a missing folder or file is named")
{
    check_refused("/nowhere/model", "/nowhere/model", "no such model folder");
    for (const char* file : {"model_index.json", "unet/config.json", "vae/config.json", "text_encoder/config.json",
                             "scheduler/scheduler_config.json", "text_encoder/model.safetensors",
                             "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors",
                             "tokenizer/tokenizer_config.json", "tokenizer/vocab.json", "tokenizer/merges.txt"}) {
        const test::TempModel model;
        model.remove(file);
        check_refused(model.path(), file, "");
    }
}

TEST_CASE("damaged weights are refused")
{
    const test::TempModel model;
    const std::string weights = model.read(unet_weights);
    model.write(unet_weights, weights.substr(0, weights.size() / 2));
    check_refused(model.path(), unet_weights, "truncated");
    model.write(unet_weights, "");
    check_refused(model.path(), unet_weights, "too short");
    model.write(unet_weights, "PK\3\4 this is a zip archive, as old checkpoints are");
    check_refused(model.path(), unet_weights, "not a usable safetensors file");
}

TEST_CASE("weights that do not fit the config are refused")
{
    const auto refused_after = [](const std::string& file, auto change, const std::string& in,
                                  const std::string& what) {
        const test::TempModel model;
        model.edit(file, change);
        check_refused(model.path(), in, what);
    };
    refused_after(
        "unet/config.json", [](json& c) { c["layers_per_block"] = 2; }, unet_weights, "is missing");
    refused_after(
        "unet/config.json", [](json& c) { c["cross_attention_dim"] = 32; }, "", "parts do not fit");
    refused_after(
        "text_encoder/config.json", [](json& c) { c["num_hidden_layers"] = 1; }, "text_encoder/model.safetensors",
        "belongs to no layer");
    refused_after(
        "text_encoder/config.json", [](json& c) { c["intermediate_size"] = 128; }, "text_encoder/model.safetensors",
        "has shape [256, 64]");
    refused_after(
        "vae/config.json",
        [](json& c) {
            c["block_out_channels"] = {8, 16, 64};
        },
        "vae/diffusion_pytorch_model", "has shape");
}

TEST_CASE("configs that this version cannot follow are refused with the key")
{
    const auto refused_after = [](const std::string& file, auto change, const std::string& what) {
        const test::TempModel model;
        model.edit(file, change);
        check_refused(model.path(), file, what);
    };
    refused_after(
        "model_index.json", [](json& c) { c["_class_name"] = "FluxPipeline"; }, "FluxPipeline");
    refused_after(
        "model_index.json", [](json& c) { c["unet"][1] = "UNet3D"; }, "UNet3D");
    refused_after(
        "model_index.json", [](json& c) { c.erase("vae"); }, "names no 'vae'");
    refused_after(
        "model_index.json",
        [](json& c) {
            c["adapter"] = {"x", "Y"};
        },
        "adapter");
    refused_after(
        "unet/config.json", [](json& c) { c["new_trick"] = 1; }, "new_trick");
    refused_after(
        "unet/config.json", [](json& c) { c["class_embed_type"] = "timestep"; }, "class_embed_type");
    refused_after(
        "unet/config.json", [](json& c) { c["down_block_types"][0] = "AttnDownBlock2D"; }, "AttnDownBlock2D");
    refused_after(
        "unet/config.json",
        [](json& c) {
            c["block_out_channels"] = {32, 64};
        },
        "down_block_types");
    refused_after(
        "unet/config.json", [](json& c) { c["block_out_channels"] = "wide"; }, "block_out_channels");
    refused_after(
        "vae/config.json", [](json& c) { c["norm_num_groups"] = 5; }, "norm_num_groups");
    refused_after(
        "vae/config.json", [](json& c) { c["latents_mean"] = {0.1}; }, "latents_mean");
    refused_after(
        "text_encoder/config.json", [](json& c) { c["hidden_act"] = "relu"; }, "hidden_act");
    refused_after(
        "tokenizer/tokenizer_config.json", [](json& c) { c.erase("model_max_length"); }, "model_max_length");
    refused_after(
        "tokenizer/tokenizer_config.json", [](json& c) { c["tokenizer_class"] = "T5Tokenizer"; }, "T5Tokenizer");
}

TEST_CASE("what makes a family must be there, of a class that is known, and fit together")
{
    const auto refused_after = [](const std::string& family, const std::string& file, auto change,
                                  const std::string& what) {
        const test::TempModel model(golden_folder / family / "model");
        model.edit(file, change);
        check_refused(model.path(), "", what);
    };
    const std::string index = "model_index.json";
    const std::string unet = "unet/config.json";
    refused_after(
        "sdxl", index, [](json& c) { c["text_encoder_2"][1] = "CLIPTextModel"; },
        "'text_encoder_2' is of class CLIPTextModel");
    refused_after(
        "sdxl", index,
        [](json& c) {
            c["tokenizer_2"] = {nullptr, nullptr};
        },
        "names no 'tokenizer_2'");
    refused_after(
        "sdxl", index, [](json& c) { c["add_watermarker"] = true; }, "add_watermarker");
    refused_after(
        "sdxl", index, [](json& c) { c["requires_aesthetics_score"] = true; }, "requires_aesthetics_score");
    refused_after(
        "sdxl", index, [](json& c) { c["_class_name"] = "StableDiffusionPipeline"; }, "force_zeros_for_empty_prompt");
    refused_after(
        "sd2", index, [](json& c) { c["_class_name"] = "LatentConsistencyModelPipeline"; }, "time_cond_proj_dim");
    refused_after(
        "sdxl", unet, [](json& c) { c["addition_embed_type"] = "image"; }, "'addition_embed_type' is 'image'");
    refused_after(
        "sdxl", unet, [](json& c) { c["addition_embed_type"] = nullptr; }, "text_time");
    refused_after(
        "sdxl", unet, [](json& c) { c.erase("addition_time_embed_dim"); }, "'addition_time_embed_dim' is missing");
    refused_after(
        "sdxl", unet, [](json& c) { c["addition_time_embed_dim"] = 4; }, "projection_class_embeddings_input_dim");
    refused_after(
        "sdxl", "text_encoder_2/config.json", [](json& c) { c["projection_dim"] = 48; }, "projection_dim");
    refused_after(
        "sdxl", "tokenizer_2/tokenizer_config.json", [](json& c) { c["model_max_length"] = 32; },
        "the two tokenizers differ");
    refused_after(
        "lcm", unet, [](json& c) { c["time_cond_proj_dim"] = 8; }, "time_embedding.cond_proj.weight");
}

TEST_CASE("SDXL's second tokenizer and text encoder are missed by name")
{
    for (const char* file :
         {"tokenizer_2/tokenizer_config.json", "text_encoder_2/config.json", "text_encoder_2/model.safetensors"}) {
        const test::TempModel model(golden_folder / "sdxl" / "model");
        model.remove(file);
        check_refused(model.path(), file, "");
    }
}

TEST_CASE("a config that is not JSON is refused")
{
    const test::TempModel model;
    model.write("vae/config.json", "{");
    check_refused(model.path(), "vae/config.json", "not a JSON object");
}

TEST_CASE("text encoders load with and without the text_model prefix, and with a position_ids buffer")
{
    const test::TempModel model;
    const std::string file = "text_encoder/model.safetensors";
    const std::string weights = model.read(file);
    const auto header_bytes = static_cast<std::size_t>(static_cast<unsigned char>(weights[0])) |
                              static_cast<std::size_t>(static_cast<unsigned char>(weights[1])) << 8;
    const json old_header = json::parse(weights.substr(8, header_bytes));
    json header;
    std::size_t data_bytes = 0;
    for (const auto& [name, entry] : old_header.items()) {
        const std::string prefix = "text_model.";
        header[name.starts_with(prefix) ? name.substr(prefix.size()) : name] = entry;
        if (name != "__metadata__") {
            data_bytes = std::max(data_bytes, entry["data_offsets"][1].get<std::size_t>());
        }
    }
    header["embeddings.position_ids"] = {
        {"dtype", "I64"}, {"shape", {1, 32}}, {"data_offsets", {data_bytes, data_bytes + 256}}};
    const std::string text = header.dump(); // of any length: what follows is unaligned
    std::string length(8, '\0');
    for (unsigned i = 0; i < 8; ++i) {
        length[i] = static_cast<char>(text.size() >> (8 * i) & 0xff);
    }
    model.write(file, length + text + weights.substr(8 + header_bytes) + std::string(256, '\0'));
    const auto loaded = pipeline::DiffusionPipeline::from_pretrained(model.path(), {});
    INFO((loaded ? "" : loaded.error().message));
    CHECK(loaded);
}

TEST_CASE("devices and types that cannot be had are refused with the way out")
{
    const std::filesystem::path model = SDFLEET_SOURCE_DIR "/models/tiny-shapes";
    const auto error_of = [&](const std::string& device, pipeline::Dtype dtype) {
        return pipeline::DiffusionPipeline::from_pretrained(model, {device, dtype, {}, {}}).error();
    };
    // The last of the numbers that can be asked for: refused on machines with GPUs and without.
    CHECK(error_of("cuda:999", pipeline::Dtype::automatic).code == base::ExitCode::failed);
    CHECK_THAT(error_of("cuda:999", pipeline::Dtype::automatic).message,
               ContainsSubstring("device cuda:999: no GPU can be used here: ") || ContainsSubstring("from cuda:0") ||
                   ContainsSubstring("is one GPU, cuda:0"));
    CHECK(error_of("tpu", pipeline::Dtype::automatic).code == base::ExitCode::usage);
    CHECK(error_of("cpu", pipeline::Dtype::fp16).code == base::ExitCode::usage);
    CHECK(pipeline::parse_dtype("fp8").error().code == base::ExitCode::usage);
}
