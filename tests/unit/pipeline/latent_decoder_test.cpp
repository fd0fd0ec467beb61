// SPDX-License-Identifier: Apache-2.0
#include "pipeline/latent_decoder.hpp"

#include "tests/catch.hpp"

#include <limits>

#include <ATen/ops/allclose.h>
#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/ones.h>
#include <c10/core/InferenceMode.h>

using namespace sdfleet;
using pipeline::LatentDecoder;

namespace {

const std::filesystem::path vae = SDFLEET_SOURCE_DIR "/models/tiny-shapes/vae";
const at::TensorOptions fp32 = at::TensorOptions().dtype(at::kFloat);
const at::TensorOptions fp16 = at::TensorOptions().dtype(at::kHalf);

/// Latents are divided by `scaling_factor` first: a tiny one makes numbers that a type cannot hold.
LatentDecoder decoder(at::TensorOptions options, double scaling_factor)
{
    auto config = pipeline::read_autoencoder_config(vae / "config.json");
    REQUIRE(config);
    config->scaling_factor = scaling_factor;
    auto loaded = LatentDecoder::load(*config, vae / "diffusion_pytorch_model.safetensors", options);
    REQUIRE(loaded);
    return std::move(*loaded);
}

constexpr double too_small_for_half = 1e-6;
constexpr double too_small_for_float = 1e-39;

} // namespace

TEST_CASE("a decode that overflows in half precision is done again in fp32")
{
    const c10::InferenceMode inference;
    const at::Tensor latents = at::ones({1, 4, 4, 4}, fp16);
    auto half = decoder(fp16, too_small_for_half);
    REQUIRE_FALSE(at::isfinite(half.vae().decode(latents)).all().item<bool>());
    const auto image = half.decode(latents);
    REQUIRE(image);
    const auto expected = decoder(fp32, too_small_for_half).decode(latents);
    REQUIRE(expected);
    CHECK(at::allclose(image->to(fp32), *expected));
    CHECK(half.decode(latents)); // with the weights that it has by then
}

TEST_CASE("a decoder in fp32 takes latents of half precision, and does not overflow in the first place")
{
    const c10::InferenceMode inference;
    const at::Tensor latents = at::ones({1, 4, 4, 4}, fp16);
    auto upcast = decoder(fp32, too_small_for_half);
    const auto image = upcast.decode(latents);
    REQUIRE(image);
    CHECK(image->scalar_type() == at::kFloat);
    CHECK(at::isfinite(upcast.vae().decode(latents.to(fp32))).all().item<bool>());
}

TEST_CASE("what is not finite in fp32 is an error that says so, never a picture")
{
    const c10::InferenceMode inference;
    for (const auto& options : {fp32, fp16}) {
        const auto image = decoder(options, too_small_for_float).decode(at::ones({1, 4, 4, 4}, options));
        REQUIRE_FALSE(image);
        CHECK(image.error().code == base::ExitCode::failed);
        CHECK_THAT(image.error().message, ContainsSubstring("decoder's result") && ContainsSubstring("NaN"));
    }
}

TEST_CASE("broken latents are not decoded")
{
    const c10::InferenceMode inference;
    for (const double broken : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        at::Tensor latents = at::ones({1, 4, 4, 4}, fp32);
        latents[0][1][2][3] = broken;
        const auto image = decoder(fp32, 1).decode(latents);
        REQUIRE_FALSE(image);
        CHECK_THAT(image.error().message, ContainsSubstring("denoiser's result"));
    }
}
