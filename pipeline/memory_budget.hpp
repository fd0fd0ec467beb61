// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "pipeline/autoencoder_config.hpp"
#include "pipeline/unet_config.hpp"
#include "pipeline/weight_files.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace sdfleet::pipeline {

/// What a model needs of a GPU's memory to draw one picture of the size that it was trained on. The weights are counted,
/// the rest is an estimate from the networks' shapes, rather too low than too high: it is there to refuse at once what
/// cannot work, not to promise that everything else does.
struct MemoryNeed {
    std::uint64_t weight_bytes = 0;
    std::uint64_t drawing_bytes = 0;

    std::uint64_t total_bytes() const { return weight_bytes + drawing_bytes; }
};

/// Of the component's parameters when their floating-point numbers have `element_bytes` each. Reads the files' headers.
/// ExitCode::bad_input for a damaged one.
base::Result<std::uint64_t> count_weight_bytes(const WeightFiles& weights, std::size_t element_bytes);

/// The larger of what a step (with guidance: two rows) and the decoder need beside their weights, at the trained size. The
/// decoder works in tiles where memory is scarce, so one tile's need is enough.
std::uint64_t estimate_drawing_bytes(const UNetConfig& unet, std::size_t unet_element_bytes,
                                     const AutoencoderConfig& vae, std::size_t vae_element_bytes);

/// ExitCode::failed, in words that count as out of memory, when `need` is more than is free on `device` ("cuda:0").
base::Result<void> check_memory(const MemoryNeed& need, std::uint64_t free_bytes, std::uint64_t total_bytes,
                                const std::string& device);

} // namespace sdfleet::pipeline
