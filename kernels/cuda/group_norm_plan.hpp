// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/kernel_table.hpp"

namespace sdfleet::kernels::cuda {

/// How group_norm is divided among blocks: a function of an image's shape alone, so that an image's sums run in the same
/// order in every batch.
///
/// A pixel's channels are cut into slices of whole groups. A block takes one slice of some pixels. Its threads form columns,
/// each reading the same 16 bytes of one pixel after the other: neighbouring threads read neighbouring bytes.
struct GroupNormPlan {
    enum class Way {
        resident,   ///< one kernel; a block keeps its slice of all pixels in registers
        two_passes, ///< one kernel for sums of parts of the pixels, one that joins them and normalises
        any_shape,  ///< one block for each group, an element at a time: what is not made of 16 bytes
    };
    Way way = Way::any_shape;
    std::int64_t groups_per_slice = 1;
    std::int64_t columns = 0; ///< of 16 bytes, in a slice

    std::int64_t pixels_per_part = 0; ///< two_passes, in the kernel of sums
    std::int64_t parts = 0;
    std::int64_t pixels_per_tile = 0; ///< two_passes, in the kernel that normalises
};

constexpr std::int64_t resident_threads = 512;
constexpr std::int64_t resident_vectors = 8; ///< of a thread, at most
constexpr std::int64_t pass_threads = 256;
constexpr std::int64_t max_groups_per_slice = 64;
constexpr std::int64_t max_parts = 256;

/// For sizes that are valid.
GroupNormPlan plan_group_norm(ElementType type, std::int64_t pixels, std::int64_t channels, std::int64_t groups);

/// What the kernel of sums leaves for each group of a part: mean, and squared deviations from it.
constexpr std::int64_t bytes_per_part = 2 * sizeof(float);

} // namespace sdfleet::kernels::cuda
