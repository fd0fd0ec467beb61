// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/input_image.hpp"

namespace sdfleet::pipeline {

/// The image at another size, through a Lanczos window of three lobes that widens as the image shrinks: the same bytes
/// that Pillow's resize(..., LANCZOS) gives. Not a copy of the proportions: each side is scaled by itself.
InputImage resize_lanczos(const InputImage& image, int width, int height);

} // namespace sdfleet::pipeline
