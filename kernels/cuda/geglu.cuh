// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/argument_check.hpp"
#include "kernels/cuda/divider.cuh"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/functions.hpp"
#include "kernels/cuda/row_chunks.cuh"

namespace sdfleet::kernels::cuda {

__device__ inline float gelu(float value)
{
    constexpr float half_root = 0.70710678118654752f;
    return 0.5f * value * (1.0f + erff(value * half_root));
}

/// An item is `width` values with their gates.
template <class Element, int width>
__global__ void __launch_bounds__(elementwise_threads)
    geglu_kernel(const Element* input, Element* output, std::uint32_t items, Divider items_per_row)
{
    // 64 bits: an index just below 2^31 plus a step would go past 2^32 after a few rounds.
    for (std::uint64_t item = first_item(); item < items; item += item_step()) {
        const std::uint32_t row = items_per_row.quotient(static_cast<std::uint32_t>(item));
        const std::int64_t features = static_cast<std::int64_t>(items_per_row.divisor()) * width;
        // Rows of the input are twice as long: what lies before this row lies there twice.
        const Element* values = input + static_cast<std::int64_t>(item) * width + row * features;
        const auto value = read_vector<width>(values);
        const auto gate = read_vector<width>(values + features);
        Vector<Element, width> result;
        for (int i = 0; i < width; ++i) {
            result.element[i] = Stored<Element>::of(widened(value.element[i]) * gelu(widened(gate.element[i])));
        }
        write_vector(output + static_cast<std::int64_t>(item) * width, result);
    }
}

template <class Element, int width>
Status geglu_as(const GegluArguments& a, Queue queue)
{
    const std::int64_t items_per_row = a.features / width;
    return for_row_chunks(a.rows, items_per_row, [&](std::int64_t first, std::int64_t rows) {
        return launch(geglu_kernel<Element, width>, elementwise_blocks(rows * items_per_row), elementwise_threads,
                      queue, static_cast<const Element*>(a.input) + first * 2 * a.features,
                      static_cast<Element*>(a.output) + first * a.features,
                      static_cast<std::uint32_t>(rows * items_per_row), Divider(items_per_row));
    });
}

Status geglu(const GegluArguments& a, Queue queue)
{
    if (!is_valid(a)) {
        return Status::invalid;
    }
    return run_as(a.type, [&]<class Element>(Element) {
        return a.features % vector_width<Element> == 0 ? geglu_as<Element, vector_width<Element>>(a, queue)
                                                       : geglu_as<Element, 1>(a, queue);
    });
}

} // namespace sdfleet::kernels::cuda
