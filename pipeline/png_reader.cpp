// SPDX-License-Identifier: Apache-2.0
#include "pipeline/png_reader.hpp"

#include "base/atomic_file.hpp"
#include "base/sha256.hpp"

#include <algorithm>
#include <array>
#include <memory>

#include <spng.h>

namespace sdfleet::pipeline {

namespace {

base::Result<InputImage> bad(const std::string& where, const std::string& what)
{
    return base::fail(base::ExitCode::bad_input, where + ": " + what);
}

bool has_png_signature(std::span<const std::byte> bytes)
{
    constexpr std::array<unsigned char, 8> signature{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    return bytes.size() >= signature.size() &&
           std::equal(signature.begin(), signature.end(), bytes.begin(),
                      [](unsigned char want, std::byte have) { return std::byte{want} == have; });
}

} // namespace

base::Result<InputImage> decode_png(std::span<const std::byte> png, const std::string& where)
{
    if (!has_png_signature(png)) {
        return bad(where, "not a PNG file; other formats must be converted to PNG first");
    }
    const auto damaged = [&](int code) { return bad(where, std::string("damaged PNG file: ") + spng_strerror(code)); };
    const std::unique_ptr<spng_ctx, void (*)(spng_ctx*)> context(spng_ctx_new(0), spng_ctx_free);
    if (!context) {
        return damaged(SPNG_EMEM);
    }
    // What goes along with the pixels (texts, colour profiles) is inflated by the library: within bounds, and a wrong
    // checksum there harms nothing.
    constexpr std::size_t max_chunk = std::size_t{16} << 20;
    spng_set_chunk_limits(context.get(), max_chunk, 4 * max_chunk);
    spng_set_crc_action(context.get(), SPNG_CRC_ERROR, SPNG_CRC_DISCARD);
    spng_ihdr header{};
    int code = spng_set_png_buffer(context.get(), png.data(), png.size());
    code = code != 0 ? code : spng_get_ihdr(context.get(), &header);
    if (code != 0) {
        return damaged(code);
    }
    if (std::max(header.width, header.height) > static_cast<std::uint32_t>(max_png_side)) {
        return bad(where, "is " + std::to_string(header.width) + "x" + std::to_string(header.height) +
                              " pixels; the limit is " + std::to_string(max_png_side) + " along each side");
    }
    InputImage image;
    image.width = static_cast<int>(header.width);
    image.height = static_cast<int>(header.height);
    std::size_t bytes = 0;
    code = spng_decoded_image_size(context.get(), SPNG_FMT_RGB8, &bytes);
    if (code != 0) {
        return damaged(code);
    }
    image.rgb.resize(bytes);
    code = spng_decode_image(context.get(), image.rgb.data(), bytes, SPNG_FMT_RGB8, 0);
    code = code != 0 ? code : spng_decode_chunks(context.get()); // to the end: a file cut short is not a whole one
    if (code != 0) {
        return damaged(code);
    }
    image.sha256 = base::sha256_hex(png);
    return image;
}

base::Result<InputImage> read_png(const std::filesystem::path& path)
{
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored)) {
        return bad(path.string(), "no such image file");
    }
    const auto bytes = base::read_file(path, max_png_bytes);
    if (!bytes) {
        return base::fail(base::ExitCode::bad_input, bytes.error().message);
    }
    return decode_png(std::as_bytes(std::span(*bytes)), path.string());
}

} // namespace sdfleet::pipeline
