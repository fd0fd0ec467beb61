// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sdfleet::gpu_test {

using Pixels = std::vector<std::uint8_t>;

constexpr std::size_t image_bytes = 3 << 20; // 1024 x 1024 RGB

/// Images that differ in every rank.
inline Pixels pattern(std::uint32_t rank, std::size_t size)
{
    Pixels pixels(size);
    for (std::size_t i = 0; i < size; ++i) {
        pixels[i] = static_cast<std::uint8_t>(i * 31 + i / 4'093 + rank * 101);
    }
    return pixels;
}

inline Pixels all_patterns(std::uint32_t ranks, std::size_t size)
{
    Pixels all;
    for (std::uint32_t rank = 0; rank < ranks; ++rank) {
        const auto one = pattern(rank, size);
        all.insert(all.end(), one.begin(), one.end());
    }
    return all;
}

} // namespace sdfleet::gpu_test
