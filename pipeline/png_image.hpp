// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "pipeline/image_metadata.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace sdfleet::pipeline {

/// One text chunk; the text is UTF-8 and is written as tEXt where Latin-1 can hold it, else as iTXt.
struct PngText {
    std::string keyword; ///< 1 to 79 bytes of Latin-1
    std::string text;
};

/// An 8-bit RGB PNG. `rgb` holds height * width * 3 bytes. Equal input gives equal bytes.
base::Result<std::vector<std::byte>> encode_png(std::span<const std::uint8_t> rgb, int width, int height,
                                                const std::vector<PngText>& texts);

/// The two texts that every picture of ours carries, "parameters" and "sdfleet".
std::vector<PngText> picture_texts(const PictureParameters& parameters);

/// The same with the two texts that every picture of ours carries, "parameters" and "sdfleet".
base::Result<std::vector<std::byte>> encode_picture_png(std::span<const std::uint8_t> rgb,
                                                        const PictureParameters& parameters);

} // namespace sdfleet::pipeline
