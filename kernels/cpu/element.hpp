// SPDX-License-Identifier: Apache-2.0
// Stored elements and the floats that are computed with.
#pragma once

#include "base/half.hpp"
#include "kernels/kernel_table.hpp"

#include <type_traits>

namespace sdfleet::kernels::cpu {

using base::Bfloat16;
using base::Float16;
using base::to_float;

inline float to_float(float value)
{
    return value;
}

/// Rounded to the nearest, ties to even.
template <class Element>
Element to_element(float value)
{
    if constexpr (std::is_same_v<Element, Float16>) {
        return base::to_float16(value);
    } else if constexpr (std::is_same_v<Element, Bfloat16>) {
        return base::to_bfloat16(value);
    } else {
        return value;
    }
}

/// Calls `kernel` with a zero of the element type that `type`, which is valid, names.
template <class Kernel>
Status run_as(ElementType type, const Kernel& kernel)
{
    switch (type) {
    case ElementType::float32:
        kernel(float{});
        break;
    case ElementType::float16:
        kernel(Float16{});
        break;
    case ElementType::bfloat16:
        kernel(Bfloat16{});
        break;
    }
    return Status::done;
}

} // namespace sdfleet::kernels::cpu
