// SPDX-License-Identifier: Apache-2.0
// A PNG file, as an init image or a mask.
#include "pipeline/png_reader.hpp"

#include <cstdlib>

using namespace sdfleet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto image = pipeline::decode_png(std::as_bytes(std::span(data, size)), "fuzz");
    if (image && image->rgb.size() != std::size_t{3} * static_cast<std::size_t>(image->width) *
                                          static_cast<std::size_t>(image->height)) {
        std::abort();
    }
    return 0;
}
