// SPDX-License-Identifier: Apache-2.0
#include "pipeline/weight_files.hpp"

#include "pipeline/diffusion_pipeline.hpp"
#include "pipeline/safetensors_file.hpp"
#include "pipeline/safetensors_writer.hpp"
#include "temp_model.hpp"
#include "tests/catch.hpp"

#include <array>

using namespace sdfleet;
using nlohmann::json;

namespace {

const std::string unet = "unet/diffusion_pytorch_model";

base::Result<void> load(const test::TempModel& model, const std::string& variant = {})
{
    pipeline::LoadOptions options;
    options.variant = variant;
    return pipeline::DiffusionPipeline::from_pretrained(model.path(), options).map([](auto&&) {});
}

void check_refused(const test::TempModel& model, const std::string& says)
{
    const auto loaded = load(model);
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().code == base::ExitCode::bad_input);
    CHECK_THAT(loaded.error().message, ContainsSubstring("unet") && ContainsSubstring(says));
}

std::string bytes_of(std::vector<pipeline::NamedTensor> tensors)
{
    const auto bytes = pipeline::write_safetensors(std::move(tensors));
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The UNet's file cut in two, with an index as save_pretrained writes it; `index_name` and `infix` as of a variant.
void shard(const test::TempModel& model, const std::string& index_name = ".safetensors.index.json",
           const std::string& infix = "")
{
    const auto whole = pipeline::SafetensorsFile::open(model.path() / (unet + ".safetensors"));
    REQUIRE(whole);
    std::array<std::vector<pipeline::NamedTensor>, 2> halves;
    json index{{"metadata", {{"total_size", 1}}}};
    for (const auto& [name, view] : whole->tensors()) {
        const std::size_t half = index["weight_map"].size() % 2;
        halves[half].push_back({name, view.dtype, view.shape, view.bytes});
        index["weight_map"][name] =
            "diffusion_pytorch_model" + infix + (half == 0 ? "-00001-of-00002" : "-00002-of-00002") + ".safetensors";
    }
    model.write(unet + infix + "-00001-of-00002.safetensors", bytes_of(std::move(halves[0])));
    model.write(unet + infix + "-00002-of-00002.safetensors", bytes_of(std::move(halves[1])));
    model.write(unet + index_name, index.dump());
    std::filesystem::remove(model.path() / (unet + ".safetensors"));
}

} // namespace

TEST_CASE("weights in shards are the same model")
{
    const test::TempModel model;
    shard(model);
    const auto loaded = load(model);
    INFO((loaded ? "" : loaded.error().message));
    CHECK(loaded);
}

TEST_CASE("an index that leads astray is refused")
{
    const test::TempModel model;
    shard(model);
    const std::string index = unet + ".safetensors.index.json";
    const std::string first = "conv_in.bias";
    for (const char* name : {"../vae/diffusion_pytorch_model.safetensors", "/etc/passwd", "..", "", "a\\b"}) {
        model.edit(index, [&](json& j) { j["weight_map"][first] = name; });
        check_refused(model, "'" + first + "' is not the name of a file");
    }
    model.edit(index, [&](json& j) { j["weight_map"][first] = 7; });
    check_refused(model, "is not the name of a file");
    model.edit(index, [&](json& j) { j["weight_map"][first] = "other.safetensors"; });
    check_refused(model, "other.safetensors, which is missing");
    model.edit(index, [&](json& j) {
        j["weight_map"][first] = "diffusion_pytorch_model-00001-of-00002.safetensors";
        j["weight_map"]["more.weight"] = "diffusion_pytorch_model-00001-of-00002.safetensors";
    });
    check_refused(model, "'more.weight' is in diffusion_pytorch_model-00001-of-00002.safetensors, which is not so");
    model.edit(index, [&](json& j) { j = json::object(); });
    check_refused(model, "no weight_map");
}

TEST_CASE("a variant's files are taken where there are any, single or in shards")
{
    const test::TempModel model;
    CHECK_THAT(load(model, "fp16").error().message, ContainsSubstring("no weights of variant fp16"));
    shard(model, ".safetensors.index.fp16.json", ".fp16");
    CHECK(load(model, "fp16"));
    CHECK(load(model)); // nothing else is there
    const auto weights = pipeline::find_weights(model.path() / "unet", "diffusion_pytorch_model", "fp16");
    REQUIRE(weights);
    CHECK(weights->files.size() == 2);
    CHECK(load(model, "../x").error().code == base::ExitCode::usage);
}
