// SPDX-License-Identifier: Apache-2.0
#include "pipeline/memory_budget.hpp"

#include "pipeline/model_folder.hpp"
#include "pipeline/out_of_memory.hpp"
#include "pipeline/safetensors_file.hpp"
#include "tests/catch.hpp"

#include <filesystem>

using namespace sdfleet;
using namespace sdfleet::pipeline;

namespace {

constexpr std::uint64_t mib = 1 << 20;
constexpr std::uint64_t gib = 1 << 30;
constexpr std::size_t fp16 = 2;
constexpr std::size_t fp32 = 4;

UNetConfig unet_of(std::int64_t side, const std::vector<std::int64_t>& channels)
{
    UNetConfig config;
    config.sample_size = {side, side};
    for (const auto count : channels) {
        config.levels.push_back({.channels = count});
    }
    return config;
}

AutoencoderConfig published_vae()
{
    AutoencoderConfig config;
    config.block_out_channels = {128, 256, 512, 512};
    return config;
}

} // namespace

TEST_CASE("weights count as they will lie in memory, whatever type their file has")
{
    const auto folder = std::filesystem::path(SDFLEET_SOURCE_DIR) / "models/tiny-shapes";
    const auto weights = ModelFolder::open(folder)->unet_weights;
    std::uint64_t numbers = 0;
    const auto file = SafetensorsFile::open(weights.files.at(0));
    for (const auto& [name, tensor] : file->tensors()) {
        numbers += tensor.bytes.size() / safetensors_element_bytes(tensor.dtype);
    }

    REQUIRE(numbers > 0);
    REQUIRE(count_weight_bytes(weights, fp32) == numbers * fp32);
    REQUIRE(count_weight_bytes(weights, fp16) == numbers * fp16);
}

TEST_CASE("weights that cannot be read are an error of the model's")
{
    REQUIRE(count_weight_bytes(std::filesystem::path("/nowhere/unet.safetensors"), fp16).error().code ==
            base::ExitCode::bad_input);
}

TEST_CASE("drawing takes some hundred MiB at 512 x 512 and a GiB or two at 1024 x 1024")
{
    const auto sd15 = unet_of(64, {320, 640, 1280, 1280});
    const auto sdxl = unet_of(128, {320, 640, 1280});

    const auto at_512 = estimate_drawing_bytes(sd15, fp16, published_vae(), fp16);
    const auto at_1024 = estimate_drawing_bytes(sdxl, fp16, published_vae(), fp16);

    REQUIRE(at_512 > 200 * mib);
    REQUIRE(at_512 < gib);
    REQUIRE(at_1024 > gib);
    REQUIRE(at_1024 < 3 * gib);
    REQUIRE(estimate_drawing_bytes(sdxl, fp16, published_vae(), fp32) > at_1024);
}

TEST_CASE("a larger picture than the decoder's tile takes no more of the decoder")
{
    const std::vector<std::int64_t> narrow{8};
    const auto at_tile = estimate_drawing_bytes(unet_of(128, narrow), fp16, published_vae(), fp16);

    REQUIRE(estimate_drawing_bytes(unet_of(256, narrow), fp16, published_vae(), fp16) == at_tile);
}

TEST_CASE("a model is refused when it needs more than is free, in words that count as out of memory")
{
    const MemoryNeed need{6 * gib, 2 * gib};

    REQUIRE(check_memory(need, 8 * gib, 24 * gib, "cuda:0"));
    const auto refused = check_memory(need, 8 * gib - 1, 24 * gib, "cuda:0");

    REQUIRE(refused.error().code == base::ExitCode::failed);
    REQUIRE(is_out_of_memory(refused.error().message));
    REQUIRE(
        refused.error().message.starts_with("cuda:0 would run out of memory: the model needs about 8.0 GiB (6.0 GiB "
                                            "for its weights), and of 24.0 GiB there are 8.0 GiB free"));
}
