// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/argument_check.hpp"
#include "kernels/cuda/divider.cuh"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/functions.hpp"
#include "kernels/cuda/row_chunks.cuh"

namespace sdfleet::kernels::cuda {

/// Sizes in pixels, and a pixel in vectors.
struct UpsampleSizes {
    UpsampleSizes(const UpsampleArguments& a, int width_of_vector)
        : height(a.height), width(a.width), output_height(a.output_height), output_width(a.output_width),
          vectors_per_pixel(a.channels / width_of_vector),
          scale(a.output_width % a.width == 0 ? a.output_width / a.width : 1), is_whole(a.output_width % a.width == 0)
    {
    }
    std::int64_t height, width, output_height, output_width;
    Divider vectors_per_pixel;
    Divider scale; ///< of the width, where it is a whole number
    bool is_whole;
};

/// One line of an output image for each blockIdx.x; the blocks of one line share it by blockIdx.y.
template <class Element, int width>
__global__ void __launch_bounds__(elementwise_threads)
    upsample_kernel(const Element* __restrict__ input, Element* __restrict__ output, UpsampleSizes sizes)
{
    const std::int64_t vectors = sizes.vectors_per_pixel.divisor();
    const std::int64_t line = blockIdx.x;
    const std::int64_t image = line / sizes.output_height;
    const std::int64_t y = (line - image * sizes.output_height) * sizes.height / sizes.output_height;
    const Element* from = input + (image * sizes.height + y) * sizes.width * vectors * width;
    Element* to = output + line * sizes.output_width * vectors * width;
    const std::int64_t items = sizes.output_width * vectors;
    for (std::int64_t item = blockIdx.y * blockDim.x + threadIdx.x; item < items; item += gridDim.y * blockDim.x) {
        const std::uint32_t x = sizes.vectors_per_pixel.quotient(static_cast<std::uint32_t>(item));
        const std::int64_t source = sizes.is_whole ? sizes.scale.quotient(x) : x * sizes.width / sizes.output_width;
        write_vector(to + item * width, read_vector<width>(from + (source * vectors + item - x * vectors) * width));
    }
}

template <class Element, int width>
Status upsample_as(const UpsampleArguments& a, Queue queue)
{
    // Four vectors for each thread: enough to have several reads on their way.
    const std::int64_t share = std::int64_t{4} * elementwise_threads * width;
    const std::int64_t blocks_per_line = std::min(max_grid_y, divided_up(a.output_width * a.channels, share));
    return launch(upsample_kernel<Element, width>,
                  dim3(static_cast<unsigned>(a.batch * a.output_height), static_cast<unsigned>(blocks_per_line)),
                  elementwise_threads, queue, static_cast<const Element*>(a.input), static_cast<Element*>(a.output),
                  UpsampleSizes(a, width));
}

Status upsample_nearest(const UpsampleArguments& a, Queue queue)
{
    if (!is_valid(a)) {
        return Status::invalid;
    }
    return run_as(a.type, [&]<class Element>(Element) {
        return a.channels % vector_width<Element> == 0 ? upsample_as<Element, vector_width<Element>>(a, queue)
                                                       : upsample_as<Element, 1>(a, queue);
    });
}

} // namespace sdfleet::kernels::cuda
