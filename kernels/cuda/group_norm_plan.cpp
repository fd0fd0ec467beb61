// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/group_norm_plan.hpp"

#include <algorithm>

namespace sdfleet::kernels::cuda {

namespace {

constexpr std::int64_t vector_bytes = 16;
constexpr std::int64_t max_slices = 65'535; // a grid's y

/// The fewest groups that fill `wanted_bytes` of a pixel and whole vectors; 0 where there are none that a block can take.
std::int64_t groups_per_slice(std::int64_t group_bytes, std::int64_t groups, std::int64_t wanted_bytes)
{
    std::int64_t fitting = 0;
    for (std::int64_t count = 1; count <= std::min(groups, max_groups_per_slice); ++count) {
        const std::int64_t bytes = count * group_bytes;
        if (bytes > pass_threads * vector_bytes) {
            break;
        }
        if (groups % count == 0 && bytes % vector_bytes == 0) {
            fitting = count;
            if (bytes >= wanted_bytes) {
                break;
            }
        }
    }
    return groups / std::max<std::int64_t>(fitting, 1) <= max_slices ? fitting : 0;
}

GroupNormPlan in_slices(GroupNormPlan::Way way, std::int64_t group_bytes, std::int64_t groups,
                        std::int64_t wanted_bytes)
{
    const std::int64_t count = groups_per_slice(group_bytes, groups, wanted_bytes);
    return count == 0
               ? GroupNormPlan{}
               : GroupNormPlan{.way = way, .groups_per_slice = count, .columns = count * group_bytes / vector_bytes};
}

} // namespace

GroupNormPlan plan_group_norm(ElementType type, std::int64_t pixels, std::int64_t channels, std::int64_t groups)
{
    const std::int64_t group_bytes = channels / groups * (type == ElementType::float32 ? 4 : 2);
    // Few pixels make few blocks: narrow slices, as all of it is in the L2 cache anyway.
    const GroupNormPlan resident = in_slices(GroupNormPlan::Way::resident, group_bytes, groups, 64);
    if (resident.columns > 0 && pixels <= resident_vectors * (resident_threads / resident.columns)) {
        return resident;
    }
    GroupNormPlan plan = in_slices(GroupNormPlan::Way::two_passes, group_bytes, groups, 128);
    // At least 64 pixels: fewer would not be worth a block's reduction.
    plan.pixels_per_part = std::max<std::int64_t>(64, (pixels + max_parts - 1) / max_parts);
    plan.parts = (pixels + plan.pixels_per_part - 1) / plan.pixels_per_part;
    // Every block that normalises reads the sums of all parts: a quarter of what it does besides, at most.
    const std::int64_t sums_bytes = plan.parts * plan.groups_per_slice * bytes_per_part;
    plan.pixels_per_tile =
        std::max<std::int64_t>(64, 4 * sums_bytes / std::max<std::int64_t>(1, plan.columns * vector_bytes));
    return plan;
}

} // namespace sdfleet::kernels::cuda
