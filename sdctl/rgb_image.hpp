// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sdfleet::sdctl {

/// 8-bit RGB, row after row from the top.
struct RgbImage {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    std::vector<std::uint8_t> pixels; ///< height * width * 3

    bool operator==(const RgbImage&) const = default;
};

bool is_png(std::span<const std::byte> bytes);

/// Any PNG becomes 8-bit RGB. Refuses one of more than max_image_side pixels on a side.
base::Result<RgbImage> decode_png(std::span<const std::byte> bytes);

base::Result<std::vector<std::byte>> encode_png(const RgbImage& image);

} // namespace sdfleet::sdctl
