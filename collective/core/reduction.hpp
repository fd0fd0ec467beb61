// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/element_type.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace sdfleet::collective {

/// into[i] = into[i] op from[i]; avg sums, see divide(). The 16-bit floats are computed in float and rounded. Integers wrap
/// around; a NaN stays in min and max. Both spans have the same size, a multiple of the element's; no alignment needed.
void reduce_into(std::span<std::byte> into, std::span<const std::byte> from, ElementType type, ReduceOp op);

/// Each element by `divisor`; floating types only.
void divide(std::span<std::byte> elements, ElementType type, std::uint32_t divisor);

constexpr bool is_floating(ElementType type)
{
    return type >= ElementType::float16;
}

} // namespace sdfleet::collective
