// SPDX-License-Identifier: Apache-2.0
#include "pipeline/reference_drawing.hpp"

#include <chrono>
#include <optional>

#include <ATen/TensorOperators.h>
#include <malloc.h>

namespace sdfleet::pipeline {

namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start)
{
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// -1..1 to 0..255, halves to even: [1, 3, H, W] to H * W * 3 bytes.
std::vector<std::uint8_t> to_rgb(const at::Tensor& image)
{
    const at::Tensor unit = image.mul(0.5).add_(0.5).clamp_(0, 1).to(at::kFloat);
    const at::Tensor bytes = unit.mul_(255).round_().to(at::kByte).squeeze(0).permute({1, 2, 0}).cpu().contiguous();
    const auto* values = bytes.const_data_ptr<std::uint8_t>();
    return {values, values + bytes.numel()};
}

} // namespace

base::Result<Picture> draw_by_reference(LoadedPipeline& model, const PictureParameters& parameters, Scheduler& steps,
                                        std::size_t first, const EncodedImages* images,
                                        const std::function<bool()>& step_done)
{
    Picture picture;
    picture.parameters = parameters;

    // 1. text
    auto start = Clock::now();
    const PictureText text = model.encode_text(parameters);
    const UNetContext context = model.unet.encode_context(text.conditions);
    text.keep_in(picture);
    picture.timings.text_ms = ms_since(start);

    // 2. noise
    start = Clock::now();
    NoiseSource source(parameters.seed);
    std::optional<ImageToImage> from_image;
    at::Tensor latents;
    if (images != nullptr) {
        from_image.emplace(*images, source, steps, first);
        latents = from_image->first_sample();
    } else {
        latents = source.draw(model.latent_shape(parameters)).to(model.options) * steps.init_noise_sigma();
    }

    // 3. denoising
    for (std::size_t i = first; i < steps.timesteps().size(); ++i) {
        at::Tensor input = steps.scale_model_input(latents, i);
        if (from_image) {
            input = from_image->model_input(input);
        }
        if (text.guided()) {
            input = input.expand({2, -1, -1, -1});
        }
        at::Tensor prediction = model.unet.forward(input, steps.timesteps()[i], context);
        if (text.guided()) {
            const auto halves = prediction.chunk(2);
            prediction = halves[0] + parameters.guidance_scale * (halves[1] - halves[0]);
        }
        latents = steps.step(prediction, i, latents, source);
        if (from_image) {
            latents = from_image->hold_kept_part(latents, steps, i);
        }
        if (!step_done()) {
            return base::fail(base::ExitCode::interrupted, "drawing was stopped");
        }
    }
    picture.latents = to_host(latents.squeeze(0));
    picture.timings.denoise_ms = ms_since(start);

    // 4. decoding; what the steps left free goes back first, because the peak of memory comes now
    start = Clock::now();
    ::malloc_trim(0);
    const auto image = model.vae.decode(latents);
    if (!image) {
        return tl::unexpected(image.error());
    }
    picture.rgb = to_rgb(*image);
    if (images != nullptr && parameters.keep_unmasked.value_or(false)) {
        picture.decoded_rgb = picture.rgb;
        images->restore_kept_pixels(picture.rgb);
    }
    picture.timings.decode_ms = ms_since(start);
    return picture;
}

} // namespace sdfleet::pipeline
