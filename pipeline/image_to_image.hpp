// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/autoencoder_encoder.hpp"
#include "pipeline/generate_request.hpp"
#include "pipeline/noise_source.hpp"
#include "pipeline/scheduler.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sdfleet::pipeline {

/// A request's images as one model takes them: at the picture's size, encoded. All pictures of the request share it.
struct EncodedImages {
    std::vector<std::uint8_t> rgb; ///< the init image, height * width * 3
    LatentDistribution latents;    ///< of the init image

    // With a mask only:
    std::vector<std::uint8_t> drawn_pixels; ///< height * width: 1 where the picture is drawn anew, 0 where it is kept
    at::Tensor mask;                        ///< the same per latent, [1, 1, h, w]
    LatentDistribution masked_latents; ///< of the init image, grey where it is drawn anew; for a UNet that takes a mask

    double strength = 1;
    at::TensorOptions options; ///< of the latents that go to the UNet

    bool has_mask() const { return mask.defined(); }

    /// Puts the kept pixels of the init image back into a picture.
    void restore_kept_pixels(std::vector<std::uint8_t>& picture) const;
};

struct PictureSize {
    int width = 0;
    int height = 0;
};

/// The request must have an init image. `unet_takes_mask`: the UNet has input channels for mask and masked image.
/// Images of another size than the picture's are scaled to it.
EncodedImages encode_images(const GenerateRequest& request, PictureSize size, const AutoencoderEncoder& encoder,
                            bool unet_takes_mask, at::TensorOptions options);

/// The way of one picture from image to image: what it starts from and, with a mask, what holds the kept part in place.
class ImageToImage {
public:
    /// Draws from the picture's noise what diffusers draws, in its order: for the encoded image, for the first sample,
    /// for the encoded masked image. `first`: the call of `steps` that the picture begins with.
    ImageToImage(const EncodedImages& images, NoiseSource& noise, const Scheduler& steps, std::size_t first);

    const at::Tensor& first_sample() const { return first_sample_; }

    /// What the UNet gets: `sample`, already scaled, and the mask's channels where it takes them.
    at::Tensor model_input(const at::Tensor& sample) const;

    /// The mask's channels alone, [1, k, h, w]; undefined where the UNet takes none.
    at::Tensor further_channels() const;

    /// The sample after call `index`, with its kept part as the init image is at that level of noise. As it is without a
    /// mask, or where the UNet takes care of the mask.
    at::Tensor hold_kept_part(at::Tensor sample, const Scheduler& steps, std::size_t index) const;

private:
    const EncodedImages* images_;
    at::Tensor image_latents_; ///< undefined where nothing needs them
    at::Tensor masked_latents_;
    at::Tensor noise_;
    at::Tensor first_sample_;
};

} // namespace sdfleet::pipeline
