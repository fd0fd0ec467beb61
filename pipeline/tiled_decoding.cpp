// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tiled_decoding.hpp"

#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/zeros.h>

namespace sdfleet::pipeline {

namespace {

/// How much each pixel of a tile counts along one side: it rises over the overlap with the tile before, and falls over that
/// with the tile behind. Never 0, so that a sum of weights may be divided by.
at::Tensor weights(std::int64_t pixels, std::int64_t ramp)
{
    const at::Tensor from_begin = at::arange(1, pixels + 1, at::TensorOptions().dtype(at::kFloat));
    const at::Tensor from_end = from_begin.flip(0);
    return at::minimum(from_begin, from_end).clamp_max(static_cast<double>(std::max<std::int64_t>(ramp, 1)));
}

} // namespace

std::vector<TileSpan> tile_spans(std::int64_t side, std::int64_t tile, std::int64_t overlap)
{
    if (side <= tile) {
        return {{0, side}};
    }
    const std::int64_t stride = tile - overlap;
    const std::int64_t count = (side - overlap + stride - 1) / stride;
    std::vector<TileSpan> spans;
    for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t begin = i * (side - tile) / (count - 1);
        spans.push_back({begin, begin + tile});
    }
    return spans;
}

at::Tensor decode_in_tiles(const at::Tensor& latents, std::int64_t factor, const Tiling& tiling,
                           const std::function<at::Tensor(const at::Tensor&)>& decode)
{
    const std::int64_t height = latents.size(2);
    const std::int64_t width = latents.size(3);
    const auto fp32 = latents.options().dtype(at::kFloat);
    at::Tensor sum;
    at::Tensor total = at::zeros({factor * height, factor * width}, fp32);
    for (const TileSpan& rows : tile_spans(height, tiling.tile, tiling.overlap)) {
        for (const TileSpan& columns : tile_spans(width, tiling.tile, tiling.overlap)) {
            const at::Tensor tile =
                decode(latents.slice(2, rows.begin, rows.end).slice(3, columns.begin, columns.end).contiguous());
            if (!sum.defined()) {
                sum = at::zeros({1, tile.size(1), factor * height, factor * width}, fp32);
            }
            const std::int64_t ramp = factor * tiling.overlap;
            const at::Tensor weight = (weights(tile.size(2), ramp).unsqueeze(1) * weights(tile.size(3), ramp)).to(fp32);
            const auto part = [&](const at::Tensor& whole, std::int64_t dimension) {
                return whole.slice(dimension, factor * rows.begin, factor * rows.end)
                    .slice(dimension + 1, factor * columns.begin, factor * columns.end);
            };
            part(sum, 2).add_(tile.to(at::kFloat) * weight);
            part(total, 0).add_(weight);
        }
    }
    return sum.div_(total);
}

} // namespace sdfleet::pipeline
