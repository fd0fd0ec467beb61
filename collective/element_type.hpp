// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace sdfleet::collective {

/// What the elements of a buffer are. Travels between ranks: numbers are for ever.
enum class ElementType : std::uint8_t {
    uint8 = 0,
    int8 = 1,
    int32 = 2,
    int64 = 3,
    float16 = 4,
    bfloat16 = 5,
    float32 = 6,
    float64 = 7
};

constexpr std::size_t size_of(ElementType type)
{
    constexpr std::size_t sizes[] = {1, 1, 4, 8, 2, 2, 4, 8};
    return sizes[static_cast<std::size_t>(type)];
}

/// Names of torch.distributed.ReduceOp. avg is for floating types only.
enum class ReduceOp : std::uint8_t { sum = 0, product = 1, min = 2, max = 3, avg = 4 };

} // namespace sdfleet::collective
