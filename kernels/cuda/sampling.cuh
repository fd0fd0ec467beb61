// SPDX-License-Identifier: Apache-2.0
// Between the sampler's latents and the model's tensors. The numbers of each row travel with the launch, as parameters: there
// is no copy to the device, and in a CUDA graph they are part of the node.
#pragma once

#include "kernels/argument_check.hpp"
#include "kernels/cuda/divider.cuh"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/functions.hpp"
#include "kernels/cuda/row_chunks.cuh"

namespace sdfleet::kernels::cuda {

/// What every GPU takes as parameters of a launch.
constexpr std::size_t parameter_bytes = 4'096;

struct InputRows {
    const float* row[max_sample_rows];
    const float* more[max_sample_rows];
    float scale[max_sample_rows];
};
static_assert(sizeof(InputRows) + 64 <= parameter_bytes);

/// Row blockIdx.y. Written in the order of the output: the elements of a pixel are those of neighbouring threads.
template <class Element>
__global__ void __launch_bounds__(elementwise_threads)
    model_input_kernel(const __grid_constant__ InputRows rows, Element* output, std::uint32_t pixels,
                       std::uint32_t channels, Divider all_channels, std::int64_t copy_distance)
{
    const std::uint32_t row = blockIdx.y;
    const std::uint32_t items = pixels * all_channels.divisor();
    Element* image = output + static_cast<std::int64_t>(row) * items;
    for (std::uint64_t item = first_item(); item < items; item += item_step()) {
        const std::uint32_t pixel = all_channels.quotient(static_cast<std::uint32_t>(item));
        const std::uint32_t channel = static_cast<std::uint32_t>(item) - pixel * all_channels.divisor();
        const bool is_scaled = channel < channels;
        const float value = is_scaled ? rows.row[row][channel * pixels + pixel] * rows.scale[row]
                                      : rows.more[row][(channel - channels) * pixels + pixel];
        const Element stored = Stored<Element>::of(value);
        image[item] = stored;
        if (copy_distance > 0) {
            image[item + copy_distance] = stored;
        }
    }
}

/// Rows of one launch of sample_update_kernel: as many as its parameters have room for.
constexpr std::int64_t rows_per_launch = 32;
struct SampleRows {
    SampleRow row[rows_per_launch];
};
static_assert(sizeof(SampleRows) + 64 <= parameter_bytes);

/// Row blockIdx.y; in the order of the latents. An element is one thread's: all is read before anything is written.
template <class Element>
__global__ void __launch_bounds__(elementwise_threads)
    sample_update_kernel(const __grid_constant__ SampleRows rows, const Element* model_output, std::uint32_t channels,
                         Divider pixels, std::int64_t guided_distance)
{
    const SampleRow& row = rows.row[blockIdx.y];
    const std::uint32_t items = channels * pixels.divisor();
    const Element* image = model_output + static_cast<std::int64_t>(blockIdx.y) * items;
    for (std::uint64_t item = first_item(); item < items; item += item_step()) {
        const std::uint32_t channel = pixels.quotient(static_cast<std::uint32_t>(item));
        const std::uint32_t pixel = static_cast<std::uint32_t>(item) - channel * pixels.divisor();
        const std::uint32_t at = pixel * channels + channel;
        float prediction = widened(image[at]);
        if (guided_distance > 0) {
            prediction += row.guidance * (widened(image[at + guided_distance]) - prediction);
        }
        float result = row.factor[0] * prediction;
        for (std::int32_t k = 1; k < row.terms; ++k) {
            result += row.factor[k] * row.term[k][item];
        }
        if (row.prediction != nullptr) {
            row.prediction[item] = prediction;
        }
        if (row.result != nullptr) {
            row.result[item] = result;
        }
    }
}

inline dim3 row_blocks(std::int64_t items, std::int64_t rows)
{
    return dim3(elementwise_blocks(items).x, static_cast<unsigned>(rows));
}

Status model_input(const ModelInputArguments& a, Queue queue)
{
    if (!is_valid(a)) {
        return Status::invalid;
    }
    InputRows rows{};
    for (std::int64_t row = 0; row < a.batch; ++row) {
        rows.row[row] = a.rows[row];
        rows.more[row] = a.more_channels > 0 ? a.more[row] : nullptr;
        rows.scale[row] = a.scale[row];
    }
    const std::int64_t all_channels = a.channels + a.more_channels;
    return run_as(a.type, [&]<class Element>(Element) {
        return launch(model_input_kernel<Element>, row_blocks(a.pixels * all_channels, a.batch), elementwise_threads,
                      queue, rows, static_cast<Element*>(a.output), static_cast<std::uint32_t>(a.pixels),
                      static_cast<std::uint32_t>(a.channels), Divider(all_channels),
                      a.copies == 2 ? a.batch * a.pixels * all_channels : 0);
    });
}

template <class Element>
Status sample_update_as(const SampleUpdateArguments& a, Queue queue)
{
    const std::int64_t row_size = a.pixels * a.channels;
    for (std::int64_t first = 0; first < a.batch; first += rows_per_launch) {
        const std::int64_t count = std::min(rows_per_launch, a.batch - first);
        SampleRows rows{};
        std::copy_n(a.rows + first, count, rows.row);
        const Status status =
            launch(sample_update_kernel<Element>, row_blocks(row_size, count), elementwise_threads, queue, rows,
                   static_cast<const Element*>(a.model_output) + first * row_size,
                   static_cast<std::uint32_t>(a.channels), Divider(a.pixels), a.copies == 2 ? a.batch * row_size : 0);
        if (status != Status::done) {
            return status;
        }
    }
    return Status::done;
}

Status sample_update(const SampleUpdateArguments& a, Queue queue)
{
    return is_valid(a) ? run_as(a.type, [&]<class Element>(Element) { return sample_update_as<Element>(a, queue); })
                       : Status::invalid;
}

} // namespace sdfleet::kernels::cuda
