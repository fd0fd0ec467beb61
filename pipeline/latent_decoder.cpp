// SPDX-License-Identifier: Apache-2.0
#include "pipeline/latent_decoder.hpp"

#include "pipeline/device_facts.hpp"
#include "pipeline/not_finite.hpp"
#include "pipeline/out_of_memory.hpp"
#include "pipeline/tiled_decoding.hpp"

#include <exception>

#include <ATen/ops/isfinite.h>

namespace sdfleet::pipeline {

namespace {

bool all_finite(const at::Tensor& tensor)
{
    return at::isfinite(tensor).all().item<bool>();
}

base::Result<at::Tensor> not_finite(const char* what)
{
    return base::fail(base::ExitCode::failed,
                      std::string(what) + ": " + std::string(not_finite_words) + ", so there is no picture to write");
}

} // namespace

base::Result<LatentDecoder> LatentDecoder::load(const AutoencoderConfig& config, const WeightFiles& weights,
                                                at::TensorOptions options)
{
    return AutoencoderKL::load(config, weights, options).map([&](AutoencoderKL&& vae) {
        return LatentDecoder(std::move(vae), weights, options);
    });
}

void LatentDecoder::make_fast(const FusedOperators& ops, Recorder recorder)
{
    fast_.emplace(vae_, ops);
    recorded_ = RecordedFunction(std::move(recorder));
}

at::Tensor LatentDecoder::decode_once(const at::Tensor& latents)
{
    const at::Tensor own = latents.to(options_);
    if (own.is_cpu()) {
        return decode_whole(own); // works in strips by itself
    }
    constexpr std::int64_t max_whole = 256 * 256; // latents: a picture of 2048 x 2048
    if (own.size(2) * own.size(3) <= max_whole) {
        try {
            return decode_whole(own);
        } catch (const std::exception& error) {
            if (!is_out_of_memory(error.what())) {
                throw;
            }
            recorded_.clear();
            release_cached_memory(own.device());
        }
    }
    return decode_in_tiles(own, config().scale_factor(), {},
                           [this](const at::Tensor& tile) { return decode_whole(tile); });
}

at::Tensor LatentDecoder::decode_whole(const at::Tensor& own)
{
    if (!fast_) {
        return vae_.decode(own);
    }
    return recorded_(0, own, [this](const at::Tensor& input) { return std::vector{fast_->decode(input)}; }).front();
}

base::Result<at::Tensor> LatentDecoder::decode(const at::Tensor& latents)
{
    // The picture first: to look at the latents before would make a GPU's queue run empty, and broken latents show.
    at::Tensor image = decode_once(latents);
    if (all_finite(image)) {
        return image;
    }
    return all_finite(latents) ? decode_again(latents) : not_finite("the denoiser's result is broken");
}

base::Result<at::Tensor> LatentDecoder::decode_again(const at::Tensor& latents)
{
    if (options_.dtype() == at::kFloat) {
        return not_finite("the decoder's result is broken, in fp32");
    }
    const auto fp32 = options_.dtype(at::kFloat);
    if (!fp32_) {
        auto loaded = AutoencoderKL::load(vae_.config(), weights_, fp32);
        if (!loaded) {
            return tl::unexpected(loaded.error());
        }
        fp32_ = std::move(*loaded);
    }
    // Rare, and twice the memory: in tiles at once where the picture is of some size.
    at::Tensor image = latents.is_cpu()
                           ? fp32_->decode(latents.to(fp32))
                           : decode_in_tiles(latents.to(fp32), config().scale_factor(), {},
                                             [this](const at::Tensor& tile) { return fp32_->decode(tile); });
    return all_finite(image) ? base::Result<at::Tensor>(std::move(image))
                             : not_finite("the decoder's result is broken, in fp32 too");
}

} // namespace sdfleet::pipeline
