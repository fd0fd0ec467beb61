// SPDX-License-Identifier: Apache-2.0
#include "pipeline/image_resize.hpp"

#include "base/sha256.hpp"
#include "tests/catch.hpp"

#include <algorithm>
#include <fstream>
#include <span>

#include <nlohmann/json.hpp>

using namespace sdfleet;
using pipeline::InputImage;

namespace {

/// The same arithmetic as in make_resize_golden.py.
InputImage pattern(int width, int height)
{
    InputImage image{width, height, {}, "hash"};
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            for (int c = 0; c < 3; ++c) {
                image.rgb.push_back(static_cast<std::uint8_t>((x * 37 + y * 91 + c * 53 + x * y) % 256));
            }
        }
    }
    return image;
}

} // namespace

TEST_CASE("a scaled image has the bytes that Pillow gives it")
{
    const auto document =
        nlohmann::json::parse(std::ifstream(SDFLEET_SOURCE_DIR "/tests/unit/pipeline/resize_golden.json"));
    REQUIRE(document["cases"].size() == 9);
    for (const auto& c : document["cases"]) {
        CAPTURE(c.dump());
        const auto scaled =
            pipeline::resize_lanczos(pattern(c["from"][0], c["from"][1]), c["to"][0].get<int>(), c["to"][1].get<int>());
        CHECK(scaled.width == c["to"][0].get<int>());
        CHECK(scaled.height == c["to"][1].get<int>());
        CHECK(scaled.sha256 == "hash");
        REQUIRE(scaled.rgb.size() ==
                static_cast<std::size_t>(scaled.width) * static_cast<std::size_t>(scaled.height) * 3);
        CHECK(std::vector<int>(scaled.rgb.begin(), scaled.rgb.begin() + 12) == c["first"].get<std::vector<int>>());
        CHECK(base::sha256_hex(std::as_bytes(std::span(scaled.rgb))) == c["sha256"]);
    }
}

TEST_CASE("an image of the right size is not touched")
{
    const InputImage image = pattern(9, 4);
    CHECK(pipeline::resize_lanczos(image, 9, 4).rgb == image.rgb);
}

TEST_CASE("an even colour stays even at every size")
{
    InputImage image{3, 2, std::vector<std::uint8_t>(18, 201), ""};
    const auto scaled = pipeline::resize_lanczos(image, 64, 1);
    CHECK(std::all_of(scaled.rgb.begin(), scaled.rgb.end(), [](std::uint8_t v) { return v == 201; }));
}
