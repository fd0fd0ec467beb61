// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

namespace sdfleet::pipeline {

/// Where tiles of one length lie along a side, and how far each reaches.
struct TileSpan {
    std::int64_t begin = 0;
    std::int64_t end = 0;
};

/// Covers `side` by tiles of `tile`, each overlapping the next by at least `overlap`, spread evenly. One tile where it is
/// enough. 0 <= overlap < tile.
std::vector<TileSpan> tile_spans(std::int64_t side, std::int64_t tile, std::int64_t overlap);

struct Tiling {
    std::int64_t tile = 128; ///< side of a tile, in latents
    std::int64_t overlap = 32;
};

/// Decodes latents [1, C, h, w] tile by tile into [1, 3, factor * h, factor * w]: the memory of one tile instead of the
/// whole picture's. Tiles fade into each other over their overlap. Not the whole picture's decoding to the bit: the norms
/// see a tile at a time, as in the published pipelines' tiled decoding.
at::Tensor decode_in_tiles(const at::Tensor& latents, std::int64_t factor, const Tiling& tiling,
                           const std::function<at::Tensor(const at::Tensor&)>& decode);

} // namespace sdfleet::pipeline
