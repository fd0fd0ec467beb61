// SPDX-License-Identifier: Apache-2.0
#include "sdctl/contact_sheet.hpp"
#include "tests/unit/sdctl/scratch_folder.hpp"

#include "tests/catch.hpp"

namespace sdctl = sdfleet::sdctl;
using sdctl::RgbImage;
using sdfleet::tests::ScratchFolder;
using Pixel = std::array<std::uint8_t, 3>;

namespace {

RgbImage filled(std::uint32_t width, std::uint32_t height, Pixel colour)
{
    RgbImage image{width, height, {}};
    for (std::uint32_t i = 0; i < width * height; ++i) {
        image.pixels.insert(image.pixels.end(), colour.begin(), colour.end());
    }
    return image;
}

Pixel pixel_at(const RgbImage& image, std::uint32_t x, std::uint32_t y)
{
    const auto* begin = &image.pixels[3 * (std::size_t{y} * image.width + x)];
    return {begin[0], begin[1], begin[2]};
}

std::string bytes_of(const RgbImage& image)
{
    const auto png = sdctl::encode_png(image).value();
    return {reinterpret_cast<const char*>(png.data()), png.size()};
}

constexpr Pixel red{255, 0, 0};
constexpr Pixel blue{0, 0, 255};
constexpr Pixel white{255, 255, 255};

} // namespace

TEST_CASE("A sheet is as square as it goes")
{
    const auto shape = [](std::size_t count) {
        const auto layout = sdctl::plan_sheet(count, 64, 64);
        return std::pair(layout.columns, layout.rows);
    };

    CHECK(shape(1) == std::pair(1U, 1U));
    CHECK(shape(2) == std::pair(2U, 1U));
    CHECK(shape(5) == std::pair(3U, 2U));
    CHECK(shape(8) == std::pair(3U, 3U));
    CHECK(shape(64) == std::pair(8U, 8U));
    CHECK(shape(100'000) == std::pair(8U, 8U));
}

TEST_CASE("Large pictures are made smaller by a whole factor until the sheet is easy to look at")
{
    CHECK(sdctl::plan_sheet(4, 512, 512).shrink == 1);
    CHECK(sdctl::plan_sheet(64, 512, 512).shrink == 3);
    const auto huge = sdctl::plan_sheet(64, 4096, 1024);
    CHECK(huge.width() <= 2048);
    CHECK(huge.height() <= 2048);
}

TEST_CASE("Pictures of different sizes are centred in equal cells on white")
{
    const auto sheet = sdctl::compose_sheet(std::vector{filled(8, 8, red), filled(4, 2, blue)});

    const auto layout = sdctl::plan_sheet(2, 8, 8);
    CHECK(sheet.width == layout.width());
    CHECK(pixel_at(sheet, 0, 0) == white);
    CHECK(pixel_at(sheet, layout.gap, layout.gap) == red);
    const auto second = 2 * layout.gap + layout.cell_width;
    CHECK(pixel_at(sheet, second, layout.gap) == white);
    CHECK(pixel_at(sheet, second + 2, layout.gap + 3) == blue);
    CHECK(pixel_at(sheet, second + 6, layout.gap + 3) == white);
}

TEST_CASE("A picture survives PNG, and what is no picture is refused")
{
    const auto image = filled(5, 3, {1, 2, 3});
    const auto png = bytes_of(image);

    CHECK(sdctl::decode_png(std::as_bytes(std::span(png))).value() == image);
    CHECK(sdctl::is_png(std::as_bytes(std::span(png))));
    const auto half = png.substr(0, png.size() / 2);
    CHECK_FALSE(sdctl::decode_png(std::as_bytes(std::span(half))));
    CHECK_FALSE(sdctl::decode_png({}));
    CHECK_FALSE(sdctl::is_png({}));
}

TEST_CASE("The sheet of a folder leaves out what is no picture")
{
    const ScratchFolder folder;
    folder.write("a.png", bytes_of(filled(16, 16, red)));
    folder.write("b.bin", "text");

    REQUIRE(sdctl::write_contact_sheet(folder.path(), {"a.png", "b.bin"}));

    const auto content = folder.read("grid.png");
    CHECK(sdctl::decode_png(std::as_bytes(std::span(content))).value().width == sdctl::plan_sheet(1, 16, 16).width());
}

TEST_CASE("Without pictures there is no sheet")
{
    const ScratchFolder folder;
    folder.write("b.bin", "text");

    REQUIRE(sdctl::write_contact_sheet(folder.path(), {"b.bin"}));

    CHECK_FALSE(std::filesystem::exists(folder.path() / "grid.png"));
}
