// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/device.cuh"

#include <algorithm>

namespace sdfleet::kernels::cuda {

constexpr unsigned elementwise_threads = 256;

/// Blocks for `items`, one for each thread, or several where that would be very many blocks.
inline dim3 elementwise_blocks(std::int64_t items)
{
    return dim3(static_cast<unsigned>(std::min<std::int64_t>(divided_up(items, elementwise_threads), 16'384)));
}

/// Rows in chunks of so few items (at most 2^31 - 1 of them in a row) that a kernel can count them in 32 bits:
/// `run`(first row, rows) for each, until one does not say done.
template <class Run>
Status for_row_chunks(std::int64_t rows, std::int64_t items_per_row, const Run& run)
{
    constexpr std::int64_t max_items = (std::int64_t{1} << 31) - 1;
    const std::int64_t step = std::max<std::int64_t>(1, max_items / items_per_row);
    for (std::int64_t first = 0; first < rows; first += step) {
        if (const Status status = run(first, std::min(step, rows - first)); status != Status::done) {
            return status;
        }
    }
    return Status::done;
}

/// This thread's items below `count`: first, and what is between them.
__device__ inline std::uint32_t first_item()
{
    return blockIdx.x * blockDim.x + threadIdx.x;
}
__device__ inline std::uint32_t item_step()
{
    return gridDim.x * blockDim.x;
}

} // namespace sdfleet::kernels::cuda
