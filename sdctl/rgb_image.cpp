// SPDX-License-Identifier: Apache-2.0
#include "sdctl/rgb_image.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include <spng.h>

namespace sdfleet::sdctl {

namespace {

/// A contact sheet is larger than a picture; this only keeps a damaged file from asking for all memory.
constexpr std::uint32_t max_side = 16'384;

struct FreeContext {
    void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};
using PngContext = std::unique_ptr<spng_ctx, FreeContext>;

tl::unexpected<base::Error> fail(const char* what, int error)
{
    return base::fail(base::ExitCode::failed, std::string(what) + ": " + spng_strerror(error));
}

} // namespace

bool is_png(std::span<const std::byte> bytes)
{
    constexpr unsigned char signature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    return bytes.size() > sizeof signature && std::memcmp(bytes.data(), signature, sizeof signature) == 0;
}

base::Result<RgbImage> decode_png(std::span<const std::byte> bytes)
{
    const PngContext context(spng_ctx_new(0));
    spng_set_image_limits(context.get(), max_side, max_side);
    spng_ihdr header{};
    std::size_t size = 0;
    int error = spng_set_png_buffer(context.get(), bytes.data(), bytes.size());
    error = error != 0 ? error : spng_get_ihdr(context.get(), &header);
    error = error != 0 ? error : spng_decoded_image_size(context.get(), SPNG_FMT_RGB8, &size);
    if (error != 0) {
        return fail("not a readable PNG", error);
    }
    RgbImage image{header.width, header.height, std::vector<std::uint8_t>(size)};
    error = spng_decode_image(context.get(), image.pixels.data(), size, SPNG_FMT_RGB8, 0);
    if (error != 0) {
        return fail("not a readable PNG", error);
    }
    return image;
}

base::Result<std::vector<std::byte>> encode_png(const RgbImage& image)
{
    const PngContext context(spng_ctx_new(SPNG_CTX_ENCODER));
    spng_ihdr header{};
    header.width = image.width;
    header.height = image.height;
    header.bit_depth = 8;
    header.color_type = SPNG_COLOR_TYPE_TRUECOLOR;
    int error = spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1);
    error = error != 0 ? error : spng_set_ihdr(context.get(), &header);
    error = error != 0 ? error
                       : spng_encode_image(context.get(), image.pixels.data(), image.pixels.size(), SPNG_FMT_PNG,
                                           SPNG_ENCODE_FINALIZE);
    if (error != 0) {
        return fail("cannot encode a PNG", error);
    }
    std::size_t size = 0;
    const std::unique_ptr<void, decltype(&std::free)> buffer(spng_get_png_buffer(context.get(), &size, &error),
                                                             &std::free);
    if (!buffer) {
        return fail("cannot encode a PNG", error);
    }
    const auto* begin = static_cast<const std::byte*>(buffer.get());
    return std::vector<std::byte>(begin, begin + size);
}

} // namespace sdfleet::sdctl
