// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/argument_check.hpp"
#include "kernels/cuda/divider.cuh"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/functions.hpp"
#include "kernels/cuda/row_chunks.cuh"

namespace sdfleet::kernels::cuda {

template <class Element, int width>
__device__ void add_to(float (&sum)[width], const Element* from)
{
    const auto vector = read_vector<width>(from);
    for (int i = 0; i < width; ++i) {
        sum[i] += widened(vector.element[i]);
    }
}

/// An item is `width` channels of a row. `bias` and `residual` may be null. No __restrict__: the output may be an input.
template <class Element, int width>
__global__ void __launch_bounds__(elementwise_threads)
    bias_residual_kernel(const Element* input, const Element* bias, const Element* residual, Element* output,
                         std::uint32_t items, Divider items_per_row)
{
    for (std::uint64_t item = first_item(); item < items; item += item_step()) {
        const std::int64_t at = static_cast<std::int64_t>(item) * width;
        float sum[width] = {};
        add_to<Element, width>(sum, input + at);
        if (bias != nullptr) {
            const auto number = static_cast<std::uint32_t>(item);
            const std::uint32_t column = number - items_per_row.quotient(number) * items_per_row.divisor();
            add_to<Element, width>(sum, bias + static_cast<std::int64_t>(column) * width);
        }
        if (residual != nullptr) {
            add_to<Element, width>(sum, residual + at);
        }
        Vector<Element, width> result;
        for (int i = 0; i < width; ++i) {
            result.element[i] = Stored<Element>::of(sum[i]);
        }
        write_vector(output + at, result);
    }
}

template <class Element, int width>
Status bias_residual_as(const BiasResidualArguments& a, Queue queue)
{
    const std::int64_t items_per_row = a.channels / width;
    const auto* residual = static_cast<const Element*>(a.residual);
    return for_row_chunks(a.rows, items_per_row, [&](std::int64_t first, std::int64_t rows) {
        const std::int64_t begin = first * a.channels;
        return launch(bias_residual_kernel<Element, width>, elementwise_blocks(rows * items_per_row),
                      elementwise_threads, queue, static_cast<const Element*>(a.input) + begin,
                      static_cast<const Element*>(a.bias), residual != nullptr ? residual + begin : nullptr,
                      static_cast<Element*>(a.output) + begin, static_cast<std::uint32_t>(rows * items_per_row),
                      Divider(items_per_row));
    });
}

Status bias_residual(const BiasResidualArguments& a, Queue queue)
{
    if (!is_valid(a)) {
        return Status::invalid;
    }
    return run_as(a.type, [&]<class Element>(Element) {
        return a.channels % vector_width<Element> == 0 ? bias_residual_as<Element, vector_width<Element>>(a, queue)
                                                       : bias_residual_as<Element, 1>(a, queue);
    });
}

} // namespace sdfleet::kernels::cuda
