// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "pipeline/input_image.hpp"

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace sdfleet::pipeline {

/// Limits of an image that is read: its file, and each of its sides, whatever size it is then drawn at.
inline constexpr std::size_t max_png_bytes = std::size_t{256} << 20;
inline constexpr int max_png_side = 8192;

/// Any PNG as 8-bit RGB: grey and palettes are expanded, of 16 bits the upper 8 count, transparency and the colour space
/// are ignored (Pillow's convert("RGB"), but for 16-bit grey, which Pillow cuts off at 255). The bytes may be anything:
/// memory is taken only after the sizes were found to be within the limits. Errors: ExitCode::bad_input, beginning with
/// `where`.
base::Result<InputImage> decode_png(std::span<const std::byte> png, const std::string& where);

/// The same from a file; `where` is its path.
base::Result<InputImage> read_png(const std::filesystem::path& path);

} // namespace sdfleet::pipeline
