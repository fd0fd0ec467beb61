// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/argument_check.hpp"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/functions.hpp"
#include "kernels/cuda/row_chunks.cuh"

namespace sdfleet::kernels::cuda {

__device__ inline std::uint8_t image_byte(float value)
{
    const float unit = value * 0.5f + 0.5f;
    const float clamped = unit > 0 ? fminf(unit, 1.0f) : 0.0f; // what is not a number is not above 0
    return static_cast<std::uint8_t>(rintf(clamped * 255.0f));
}

/// An item is `width` elements, the last one fewer.
template <class Element, int width>
__global__ void __launch_bounds__(elementwise_threads)
    image_bytes_kernel(const Element* __restrict__ input, std::uint8_t* __restrict__ output, std::uint32_t elements)
{
    for (std::uint64_t begin = std::uint64_t{first_item()} * width; begin < elements;
         begin += std::uint64_t{item_step()} * width) {
        if (begin + width <= elements) {
            const auto vector = read_vector<width>(input + begin);
            Vector<std::uint8_t, width> bytes;
            for (int i = 0; i < width; ++i) {
                bytes.element[i] = image_byte(widened(vector.element[i]));
            }
            write_vector(output + begin, bytes);
        } else {
            for (std::uint64_t at = begin; at < elements; ++at) {
                output[at] = image_byte(widened(input[at]));
            }
        }
    }
}

template <class Element, int width>
Status image_bytes_as(const ImageBytesArguments& a, Queue queue)
{
    // Chunks of 2^30 elements keep the alignment.
    constexpr std::int64_t chunk = std::int64_t{1} << 30;
    const std::int64_t all = a.pixels * a.channels;
    return for_row_chunks(divided_up(all, chunk), chunk, [&](std::int64_t first, std::int64_t chunks) {
        const std::int64_t begin = first * chunk;
        const std::int64_t elements = std::min(chunks * chunk, all - begin);
        return launch(image_bytes_kernel<Element, width>, elementwise_blocks(divided_up(elements, width)),
                      elementwise_threads, queue, static_cast<const Element*>(a.input) + begin, a.output + begin,
                      static_cast<std::uint32_t>(elements));
    });
}

Status image_bytes(const ImageBytesArguments& a, Queue queue)
{
    if (!is_valid(a)) {
        return Status::invalid;
    }
    return run_as(a.type, [&]<class Element>(Element) {
        constexpr int width = vector_width<Element>;
        const bool is_aligned = reinterpret_cast<std::uintptr_t>(a.input) % vector_bytes == 0 &&
                                reinterpret_cast<std::uintptr_t>(a.output) % width == 0;
        return is_aligned ? image_bytes_as<Element, width>(a, queue) : image_bytes_as<Element, 1>(a, queue);
    });
}

} // namespace sdfleet::kernels::cuda
