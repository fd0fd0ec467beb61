// SPDX-License-Identifier: Apache-2.0
#include "pipeline/memory_budget.hpp"

#include "pipeline/safetensors_file.hpp"

#include <algorithm>
#include <cstdio>

namespace sdfleet::pipeline {

namespace {

constexpr std::int64_t tile_latents = 128; // of the decoder's tiles, along a side

/// Numbers of one type become the type that the model computes in; indices stay what they are.
std::uint64_t bytes_of(const TensorView& tensor, std::size_t element_bytes)
{
    const bool is_floating = tensor.dtype.starts_with('F') || tensor.dtype == "BF16";
    const auto stored = safetensors_element_bytes(tensor.dtype);
    return is_floating && stored > 0 ? tensor.bytes.size() / stored * element_bytes : tensor.bytes.size();
}

/// What the way up still needs of the way down, and the widest tensors of a level: a transformer's feed-forward part has 8
/// times the level's channels before its gate, and 4 after it.
std::uint64_t elements_of_step(const UNetConfig& unet)
{
    constexpr std::int64_t feed_forward = 12;
    auto pixels = unet.sample_size[0] * unet.sample_size[1];
    std::int64_t kept = 0;
    std::int64_t widest = 0;
    for (const UNetLevel& level : unet.levels) {
        kept += (level.resnets + 1) * level.channels * pixels;
        widest = std::max(widest, feed_forward * level.channels * pixels);
        pixels /= 4;
    }
    return static_cast<std::uint64_t>(kept + widest);
}

/// At full size the decoder has the channels of its second level once, just enlarged, and a convolution needs its input,
/// its output and the sum beside it.
std::uint64_t elements_of_decoding(const UNetConfig& unet, const AutoencoderConfig& vae)
{
    constexpr std::int64_t live_tensors = 3;
    const auto side = [&](std::int64_t latents) { return std::min(latents, tile_latents) * vae.scale_factor(); };
    const auto& channels = vae.block_out_channels;
    const auto enlarged = channels.size() > 1 ? channels[1] : channels.front();
    return static_cast<std::uint64_t>(live_tensors * enlarged * side(unet.sample_size[0]) * side(unet.sample_size[1]));
}

std::string gib(std::uint64_t bytes)
{
    constexpr double bytes_per_gib = 1024.0 * 1024.0 * 1024.0;
    char text[32];
    std::snprintf(text, sizeof(text), "%.1f GiB", static_cast<double>(bytes) / bytes_per_gib);
    return text;
}

} // namespace

base::Result<std::uint64_t> count_weight_bytes(const WeightFiles& weights, std::size_t element_bytes)
{
    std::uint64_t bytes = 0;
    for (const auto& path : weights.files) {
        const auto file = SafetensorsFile::open(path);
        if (!file) {
            return tl::unexpected(file.error());
        }
        for (const auto& [name, tensor] : file->tensors()) {
            bytes += bytes_of(tensor, element_bytes);
        }
    }
    return bytes;
}

std::uint64_t estimate_drawing_bytes(const UNetConfig& unet, std::size_t unet_element_bytes,
                                     const AutoencoderConfig& vae, std::size_t vae_element_bytes)
{
    constexpr std::uint64_t rows = 2; // with and without the prompt
    return std::max(rows * elements_of_step(unet) * unet_element_bytes,
                    elements_of_decoding(unet, vae) * vae_element_bytes);
}

base::Result<void> check_memory(const MemoryNeed& need, std::uint64_t free_bytes, std::uint64_t total_bytes,
                                const std::string& device)
{
    if (need.total_bytes() <= free_bytes) {
        return {};
    }
    return base::fail(base::ExitCode::failed,
                      device + " would run out of memory: the model needs about " + gib(need.total_bytes()) + " (" +
                          gib(need.weight_bytes) + " for its weights), and of " + gib(total_bytes) + " there are " +
                          gib(free_bytes) +
                          " free; use a larger GPU, or end what else runs on this one (nvidia-smi shows it)");
}

} // namespace sdfleet::pipeline
