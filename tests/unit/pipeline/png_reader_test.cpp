// SPDX-License-Identifier: Apache-2.0
#include "pipeline/png_reader.hpp"

#include "pipeline/png_image.hpp"
#include "tests/catch.hpp"

#include <cstdlib>
#include <fstream>
#include <memory>

#include <spng.h>

using namespace sdfleet;
using Bytes = std::vector<std::byte>;
using Rgb = std::vector<std::uint8_t>;

namespace {

struct Picture {
    std::uint32_t width = 1;
    std::uint32_t height = 1;
    std::uint8_t bit_depth = 8;
    std::uint8_t color_type = SPNG_COLOR_TYPE_TRUECOLOR;
    std::uint8_t interlace = SPNG_INTERLACE_NONE;
    Rgb samples; ///< as in the file: packed rows
    std::vector<std::array<std::uint8_t, 3>> palette;
    Rgb palette_alpha;
};

/// Any kind of PNG, which our own writer cannot make.
Bytes encode(const Picture& picture)
{
    const std::unique_ptr<spng_ctx, void (*)(spng_ctx*)> context(spng_ctx_new(SPNG_CTX_ENCODER), spng_ctx_free);
    spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1);
    spng_ihdr header{picture.width, picture.height, picture.bit_depth, picture.color_type, 0, 0, picture.interlace};
    REQUIRE(spng_set_ihdr(context.get(), &header) == 0);
    if (!picture.palette.empty()) {
        spng_plte palette{};
        palette.n_entries = static_cast<std::uint32_t>(picture.palette.size());
        spng_trns alpha{};
        alpha.n_type3_entries = static_cast<std::uint32_t>(picture.palette_alpha.size());
        for (std::size_t i = 0; i < picture.palette.size(); ++i) {
            palette.entries[i] = {picture.palette[i][0], picture.palette[i][1], picture.palette[i][2], 0};
            alpha.type3_alpha[i] = i < picture.palette_alpha.size() ? picture.palette_alpha[i] : 255;
        }
        REQUIRE(spng_set_plte(context.get(), &palette) == 0);
        if (alpha.n_type3_entries > 0) {
            REQUIRE(spng_set_trns(context.get(), &alpha) == 0);
        }
    }
    REQUIRE(spng_encode_image(context.get(), picture.samples.data(), picture.samples.size(), SPNG_FMT_PNG,
                              SPNG_ENCODE_FINALIZE) == 0);
    std::size_t size = 0;
    int error = 0;
    const std::unique_ptr<void, void (*)(void*)> bytes(spng_get_png_buffer(context.get(), &size, &error), std::free);
    const auto* start = static_cast<const std::byte*>(bytes.get());
    return {start, start + size};
}

Rgb decoded(const Bytes& png)
{
    const auto image = pipeline::decode_png(png, "test.png");
    INFO((image ? "" : image.error().message));
    REQUIRE(image);
    CHECK(image->rgb.size() == static_cast<std::size_t>(image->width) * static_cast<std::size_t>(image->height) * 3);
    CHECK(image->sha256.size() == 64);
    return image->rgb;
}

std::string refusal(const Bytes& png)
{
    const auto image = pipeline::decode_png(png, "test.png");
    REQUIRE_FALSE(image);
    CHECK(image.error().code == base::ExitCode::bad_input);
    CHECK_THAT(image.error().message, StartsWith("test.png: "));
    CHECK(image.error().message.find('\n') == std::string::npos);
    return image.error().message;
}

Bytes plain()
{
    const Rgb rgb{255, 0, 0, 1, 2, 3};
    return *pipeline::encode_png(rgb, 2, 1, {{"note", "text"}});
}

/// The header's width, with its checksum put right.
void set_width(Bytes& png, std::uint32_t width)
{
    constexpr std::size_t ihdr = 12; // behind the signature and the chunk's length: type, data, checksum
    constexpr std::size_t checked = 17;
    for (std::size_t i = 0; i < 4; ++i) {
        png[ihdr + 4 + i] = std::byte(width >> (24 - 8 * i));
    }
    std::uint32_t crc = 0xffffffff;
    for (std::size_t i = 0; i < checked; ++i) {
        crc ^= static_cast<std::uint32_t>(png[ihdr + i]);
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0xedb88320U : 0U);
        }
    }
    for (std::size_t i = 0; i < 4; ++i) {
        png[ihdr + checked + i] = std::byte(~crc >> (24 - 8 * i));
    }
}

} // namespace

TEST_CASE("what our own writer wrote comes back")
{
    CHECK(decoded(plain()) == Rgb{255, 0, 0, 1, 2, 3});
}

TEST_CASE("grey, palettes, 16 bits and transparency all become 8-bit RGB")
{
    CHECK(decoded(encode({2, 1, 8, SPNG_COLOR_TYPE_GRAYSCALE, 0, {7, 200}, {}, {}})) == Rgb{7, 7, 7, 200, 200, 200});
    CHECK(decoded(encode({2, 1, 1, SPNG_COLOR_TYPE_GRAYSCALE, 0, {0x40}, {}, {}})) == Rgb{0, 0, 0, 255, 255, 255});
    CHECK(decoded(encode({2, 1, 4, SPNG_COLOR_TYPE_GRAYSCALE, 0, {0x5a}, {}, {}})) == Rgb{85, 85, 85, 170, 170, 170});
    // transparent colours keep their colour
    CHECK(decoded(encode({1, 1, 8, SPNG_COLOR_TYPE_TRUECOLOR_ALPHA, 0, {9, 8, 7, 0}, {}, {}})) == Rgb{9, 8, 7});
    CHECK(decoded(encode({1, 1, 8, SPNG_COLOR_TYPE_GRAYSCALE_ALPHA, 0, {9, 3}, {}, {}})) == Rgb{9, 9, 9});
    CHECK(decoded(encode({2, 1, 1, SPNG_COLOR_TYPE_INDEXED, 0, {0x80}, {{{1, 2, 3}}, {{4, 5, 6}}}, {0}})) ==
          Rgb{4, 5, 6, 1, 2, 3});
    // of 16 bits the upper 8; the encoder takes host order
    const std::uint16_t samples[3] = {0x12ff, 0x3480, 0x8001};
    Picture deep{1, 1, 16, SPNG_COLOR_TYPE_TRUECOLOR, 0, {}, {}, {}};
    const auto* raw = reinterpret_cast<const std::uint8_t*>(samples);
    deep.samples.assign(raw, raw + sizeof(samples));
    CHECK(decoded(encode(deep)) == Rgb{0x12, 0x34, 0x80});
}

TEST_CASE("an interlaced picture equals the plain one")
{
    Picture picture{5, 7, 8, SPNG_COLOR_TYPE_TRUECOLOR, SPNG_INTERLACE_NONE, {}, {}, {}};
    for (int i = 0; i < 5 * 7 * 3; ++i) {
        picture.samples.push_back(static_cast<std::uint8_t>(i * 37));
    }
    const Rgb rgb = decoded(encode(picture));
    CHECK(rgb == picture.samples);
    picture.interlace = SPNG_INTERLACE_ADAM7;
    CHECK(decoded(encode(picture)) == rgb);
}

TEST_CASE("what is no PNG is said to be none")
{
    CHECK_THAT(refusal({}), ContainsSubstring("not a PNG file"));
    CHECK_THAT(refusal(Bytes(100, std::byte{0xff})), ContainsSubstring("not a PNG file"));
}

TEST_CASE("a PNG cut off anywhere is refused")
{
    const Bytes whole = plain();
    // The last chunk's 12 bytes hold nothing; all before it must be there.
    for (std::size_t size = 8; size < whole.size() - 12; ++size) {
        CAPTURE(size);
        refusal({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
    }
}

TEST_CASE("a picture of absurd size is refused before memory is taken for it")
{
    Bytes png = plain();
    set_width(png, 8193);
    CHECK_THAT(refusal(png), ContainsSubstring("8193x1 pixels; the limit is 8192"));
    set_width(png, 0x7fffffff);
    refusal(png);
    set_width(png, 0);
    refusal(png);
    set_width(png, 8192); // allowed, but the pixels are missing
    CHECK_THAT(refusal(png), ContainsSubstring("damaged PNG file"));
}

TEST_CASE("flipped bits are errors or pixels, never a crash")
{
    const Bytes whole = plain();
    for (std::size_t i = 0; i < whole.size() * 8; ++i) {
        Bytes png = whole;
        png[i / 8] ^= std::byte{1} << (i % 8);
        const auto image = pipeline::decode_png(png, "test.png");
        CHECK((!image || image->rgb.size() == 6));
    }
}

TEST_CASE("a file that is missing or a folder is named")
{
    const auto missing = pipeline::read_png("/nonexistent/a.png");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == base::ExitCode::bad_input);
    CHECK_THAT(missing.error().message, ContainsSubstring("/nonexistent/a.png: no such image file"));
    CHECK_FALSE(pipeline::read_png(std::filesystem::temp_directory_path()));
}
