// SPDX-License-Identifier: Apache-2.0
#include "pipeline/png_image.hpp"

#include "pipeline/code_points.hpp"

#include <cstdlib>
#include <memory>
#include <optional>

#include <spng.h>

namespace sdfleet::pipeline {

namespace {

/// The text in Latin-1, if tEXt may carry it: printable characters and line feeds only.
std::optional<std::string> to_latin1(const std::string& utf8)
{
    std::string latin1;
    for (std::size_t i = 0; i < utf8.size();) {
        const UChar32 c = next_code_point(utf8, i);
        const bool printable = c == '\n' || (c >= 0x20 && c <= 0x7e) || (c >= 0xa0 && c <= 0xff);
        if (!printable) {
            return std::nullopt;
        }
        latin1.push_back(static_cast<char>(c));
    }
    return latin1;
}

spng_text to_chunk(PngText& text, std::string& empty)
{
    spng_text chunk{};
    text.keyword.copy(chunk.keyword, sizeof(chunk.keyword) - 1);
    if (auto latin1 = to_latin1(text.text)) {
        text.text = std::move(*latin1);
        chunk.type = SPNG_TEXT;
    } else {
        chunk.type = SPNG_ITXT;
        chunk.language_tag = empty.data();
        chunk.translated_keyword = empty.data();
    }
    chunk.text = text.text.data();
    chunk.length = text.text.size();
    return chunk;
}

} // namespace

base::Result<std::vector<std::byte>> encode_png(std::span<const std::uint8_t> rgb, int width, int height,
                                                const std::vector<PngText>& texts)
{
    const auto failed = [](int code) {
        return base::fail(base::ExitCode::failed,
                          std::string("cannot encode the picture as PNG: ") + spng_strerror(code));
    };
    const std::unique_ptr<spng_ctx, void (*)(spng_ctx*)> context(spng_ctx_new(SPNG_CTX_ENCODER), spng_ctx_free);
    if (!context) {
        return failed(SPNG_EMEM);
    }
    spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1);
    spng_ihdr header{};
    header.width = static_cast<std::uint32_t>(width);
    header.height = static_cast<std::uint32_t>(height);
    header.bit_depth = 8;
    header.color_type = SPNG_COLOR_TYPE_TRUECOLOR;
    if (const int code = spng_set_ihdr(context.get(), &header); code != 0) {
        return failed(code);
    }
    std::vector<PngText> kept = texts; // the library keeps pointers until the encoding is done
    std::string empty;
    std::vector<spng_text> chunks;
    for (PngText& text : kept) {
        chunks.push_back(to_chunk(text, empty));
    }
    if (!chunks.empty()) {
        const int code = spng_set_text(context.get(), chunks.data(), static_cast<std::uint32_t>(chunks.size()));
        if (code != 0) {
            return failed(code);
        }
    }
    if (const int code = spng_encode_image(context.get(), rgb.data(), rgb.size(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
        code != 0) {
        return failed(code);
    }
    std::size_t size = 0;
    int code = 0;
    const std::unique_ptr<void, void (*)(void*)> bytes(spng_get_png_buffer(context.get(), &size, &code), std::free);
    if (!bytes) {
        return failed(code);
    }
    const auto* start = static_cast<const std::byte*>(bytes.get());
    return std::vector<std::byte>(start, start + size);
}

base::Result<std::vector<std::byte>> encode_picture_png(std::span<const std::uint8_t> rgb,
                                                        const PictureParameters& parameters)
{
    return encode_png(rgb, parameters.width, parameters.height, picture_texts(parameters));
}

std::vector<PngText> picture_texts(const PictureParameters& parameters)
{
    return {{"parameters", parameters_text(parameters)}, {"sdfleet", replay_json(parameters)}};
}

} // namespace sdfleet::pipeline
