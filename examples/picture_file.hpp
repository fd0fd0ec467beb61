// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/atomic_file.hpp"
#include "pipeline/diffusion_pipeline.hpp"
#include "pipeline/png_image.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace examples {

using namespace sdfleet;

/// One picture of the prompt, in the steps and with the guidance that tiny-shapes is made for.
inline base::Result<pipeline::Picture> draw(const pipeline::DiffusionPipeline& pipeline, const std::string& prompt,
                                            std::uint64_t seed)
{
    pipeline::GenerateRequest request;
    request.prompts = {prompt};
    request.seeds = {seed};
    request.num_inference_steps = 20;
    request.guidance_scale = 4;
    std::optional<pipeline::Picture> drawn;
    const auto keep = [&](std::size_t, pipeline::Picture&& picture) {
        drawn = std::move(picture);
        return base::Result<void>();
    };
    return pipeline.generate(request, keep).map([&] { return std::move(*drawn); });
}

inline base::Result<void> save(const pipeline::Picture& picture, const std::filesystem::path& path)
{
    return pipeline::encode_picture_png(picture.rgb, picture.parameters).and_then([&](const auto& png) {
        return base::write_file_atomically(path, png);
    });
}

} // namespace examples
