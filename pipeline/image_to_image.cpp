// SPDX-License-Identifier: Apache-2.0
#include "pipeline/image_to_image.hpp"

#include "pipeline/image_resize.hpp"

#include <cstring>

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

namespace sdfleet::pipeline {

namespace {

/// [1, channels, height, width], 0..255
at::Tensor bytes_tensor(const std::vector<std::uint8_t>& bytes, PictureSize size, std::int64_t channels)
{
    at::Tensor tensor = at::empty({size.height, size.width, channels}, at::TensorOptions().dtype(at::kByte));
    std::memcpy(tensor.mutable_data_ptr<std::uint8_t>(), bytes.data(), bytes.size());
    return tensor.permute({2, 0, 1}).unsqueeze(0).to(at::kFloat).contiguous();
}

/// 1 from half brightness up. Grey is Pillow's: the luma of ITU-R 601 in 16-bit fractions, rounded.
std::vector<std::uint8_t> binarise(const InputImage& image)
{
    constexpr std::uint32_t red = 19595;
    constexpr std::uint32_t green = 38470;
    constexpr std::uint32_t blue = 7471;
    constexpr std::uint32_t half = 0x8000;
    std::vector<std::uint8_t> bright;
    bright.reserve(image.rgb.size() / 3);
    for (std::size_t i = 0; i + 2 < image.rgb.size(); i += 3) {
        const std::uint32_t luma =
            (image.rgb[i] * red + image.rgb[i + 1] * green + image.rgb[i + 2] * blue + half) >> 16U;
        bright.push_back(luma >= 128 ? 1 : 0);
    }
    return bright;
}

} // namespace

void EncodedImages::restore_kept_pixels(std::vector<std::uint8_t>& picture) const
{
    for (std::size_t i = 0; i < drawn_pixels.size(); ++i) {
        if (drawn_pixels[i] == 0) {
            std::memcpy(&picture[3 * i], &rgb[3 * i], 3);
        }
    }
}

EncodedImages encode_images(const GenerateRequest& request, PictureSize size, const AutoencoderEncoder& encoder,
                            bool unet_takes_mask, at::TensorOptions options)
{
    EncodedImages images;
    images.strength = strength_of(request);
    images.options = options;
    images.rgb = resize_lanczos(*request.init_image, size.width, size.height).rgb;
    const at::Tensor pixels = bytes_tensor(images.rgb, size, 3).div_(255).mul_(2).sub_(1);
    images.latents = encoder.encode(pixels);
    if (!request.mask_image) {
        return images;
    }
    images.drawn_pixels = binarise(resize_lanczos(*request.mask_image, size.width, size.height));
    const at::Tensor mask = bytes_tensor(images.drawn_pixels, size, 1);
    const std::int64_t factor = size.height / images.latents.mean.size(2);
    images.mask = mask.slice(2, 0, {}, factor).slice(3, 0, {}, factor).to(options); // nearest: the upper left pixel
    if (unet_takes_mask) {
        images.masked_latents = encoder.encode(pixels * (1 - mask));
    }
    return images;
}

ImageToImage::ImageToImage(const EncodedImages& images, NoiseSource& noise, const Scheduler& steps, std::size_t first)
    : images_(&images)
{
    const auto shape = images.latents.mean.sizes();
    const auto draw = [&] { return noise.draw(shape).to(images.options); };
    const bool unet_takes_mask = images.masked_latents.mean.defined();
    const bool from_noise_alone = images.has_mask() && images.strength == 1;
    if (!(from_noise_alone && unet_takes_mask)) {
        image_latents_ = images.latents.sample(draw());
    }
    noise_ = draw();
    if (images.has_mask()) {
        const at::Tensor for_masked = draw(); // even where it is not needed: what is drawn later follows it
        masked_latents_ = unet_takes_mask ? images.masked_latents.sample(for_masked) : at::Tensor();
    }
    first_sample_ =
        from_noise_alone ? noise_ * steps.init_noise_sigma() : steps.add_noise(image_latents_, noise_, first);
}

at::Tensor ImageToImage::model_input(const at::Tensor& sample) const
{
    const at::Tensor further = further_channels();
    return further.defined() ? at::cat({sample, further}, 1) : sample;
}

at::Tensor ImageToImage::further_channels() const
{
    return masked_latents_.defined() ? at::cat({images_->mask, masked_latents_}, 1) : at::Tensor();
}

at::Tensor ImageToImage::hold_kept_part(at::Tensor sample, const Scheduler& steps, std::size_t index) const
{
    if (!images_->has_mask() || masked_latents_.defined()) {
        return sample;
    }
    const bool last = index + 1 == steps.timesteps().size();
    const at::Tensor kept = last ? image_latents_ : steps.add_noise(image_latents_, noise_, index + 1);
    return (1 - images_->mask) * kept + images_->mask * sample;
}

} // namespace sdfleet::pipeline
