// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tiled_decoding.hpp"

#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/upsample_nearest2d.h>

#undef CHECK // c10's logging defines one, too
#include "tests/catch.hpp"

using namespace sdfleet::pipeline;

TEST_CASE("tiles cover a side, overlap by enough and are all of one length")
{
    for (std::int64_t side = 1; side < 200; ++side) {
        const auto spans = tile_spans(side, 32, 8);
        CAPTURE(side);
        CHECK(spans.front().begin == 0);
        CHECK(spans.back().end == side);
        for (std::size_t i = 0; i < spans.size(); ++i) {
            CHECK(spans[i].end - spans[i].begin == std::min<std::int64_t>(side, 32));
            if (i > 0) {
                CHECK(spans[i - 1].end - spans[i].begin >= 8);
            }
        }
    }
}

TEST_CASE("a decoder that looks at no neighbour gives the same picture in tiles")
{
    const auto decode = [](const at::Tensor& latents) {
        return at::upsample_nearest2d(latents.narrow(1, 0, 3), {8 * latents.size(2), 8 * latents.size(3)});
    };
    const at::Tensor latents = at::randn({1, 4, 40, 23});

    const at::Tensor tiled = decode_in_tiles(latents, 8, {.tile = 16, .overlap = 4}, decode);

    CHECK((tiled - decode(latents)).abs().max().item<double>() <= 1e-5);
}

TEST_CASE("no tile is larger than asked for")
{
    std::int64_t calls = 0;
    const auto decode = [&](const at::Tensor& latents) {
        ++calls;
        CHECK(latents.size(2) <= 16);
        CHECK(latents.size(3) <= 16);
        return at::upsample_nearest2d(latents.narrow(1, 0, 3), {8 * latents.size(2), 8 * latents.size(3)});
    };

    decode_in_tiles(at::randn({1, 4, 40, 10}), 8, {.tile = 16, .overlap = 4}, decode);

    CHECK(calls == 3);
}

TEST_CASE("tiles that differ in brightness fade into each other")
{
    double level = 0;
    const auto decode = [&](const at::Tensor& latents) {
        level += 1;
        return at::upsample_nearest2d(latents.narrow(1, 0, 3), {8 * latents.size(2), 8 * latents.size(3)}) * 0 + level;
    };

    const at::Tensor row = decode_in_tiles(at::randn({1, 4, 8, 24}), 8, {.tile = 16, .overlap = 8}, decode)[0][0][0];

    const at::Tensor steps = row.slice(0, 1) - row.slice(0, 0, -1);
    CHECK(row[0].item<double>() == 1);
    CHECK(row[-1].item<double>() == 2);
    CHECK(steps.min().item<double>() >= -1e-6);
    CHECK(steps.max().item<double>() <= 0.05);
}
