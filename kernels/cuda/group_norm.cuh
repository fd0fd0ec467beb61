// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/argument_check.hpp"
#include "kernels/cuda/divider.cuh"
#include "kernels/cuda/functions.hpp"
#include "kernels/cuda/group_norm_slice.cuh"

#include <algorithm>

namespace sdfleet::kernels::cuda {

/// Way::resident. Block (0, slice, image); mean and deviations are taken one after the other, from registers.
template <class Element, int vectors>
__global__ void __launch_bounds__(resident_threads, 1)
    group_norm_resident(const __grid_constant__ GroupNormArguments a, int columns, int groups_per_slice)
{
    constexpr int threads = static_cast<int>(resident_threads);
    constexpr int width = vector_width<Element>;
    __shared__ float scratch[threads * width];
    __shared__ float mean[max_groups_per_slice];
    __shared__ float inverse[max_groups_per_slice];
    const Place<Element, threads> place(a, columns, groups_per_slice);
    const auto* input = static_cast<const Element*>(a.input);
    float row_bias[width];
    read_row_bias<Element, threads>(a, place, row_bias);

    Vector<Element, width> held[vectors];
    float sums[width] = {};
#pragma unroll
    for (int v = 0; v < vectors; ++v) {
        const std::int64_t pixel = place.row + v * place.rows;
        if (place.has_row && pixel < a.pixels) {
            held[v] = read_vector<width>(input + place.at(pixel));
            for (int i = 0; i < width; ++i) {
                sums[i] += widened(held[v].element[i]) + row_bias[i];
            }
        }
    }
    const float count = static_cast<float>(a.pixels) * static_cast<float>(place.group_size);
    const auto mean_over_groups = [&](float* result) {
        for_each_group<threads>(groups_per_slice, [&](int group, int lane) {
            float sum = 0;
            for (int c = lane; c < place.group_size; c += static_cast<int>(warp_size)) {
                sum += scratch[group * place.group_size + c];
            }
            sum = warp_sum(sum);
            if (lane == 0) {
                result[group] = sum / count;
            }
        });
        __syncthreads();
    };
    sum_columns<Element, threads>(place, sums, scratch);
    mean_over_groups(mean);

    float own_mean[width]; // less what is added to each element
    for (int i = 0; i < width; ++i) {
        own_mean[i] = mean[place.group(i)] - row_bias[i];
        sums[i] = 0;
    }
#pragma unroll
    for (int v = 0; v < vectors; ++v) {
        if (place.has_row && place.row + v * place.rows < a.pixels) {
            for (int i = 0; i < width; ++i) {
                const float deviation = widened(held[v].element[i]) - own_mean[i];
                sums[i] += deviation * deviation;
            }
        }
    }
    sum_columns<Element, threads>(place, sums, scratch);
    mean_over_groups(inverse);
    for (int group = static_cast<int>(threadIdx.x); group < groups_per_slice; group += threads) {
        inverse[group] = 1.0f / sqrtf(inverse[group] + a.eps);
    }
    __syncthreads();

    const auto by = normalisation_of<Element, threads>(a, place, mean, inverse, row_bias);
#pragma unroll
    for (int v = 0; v < vectors; ++v) {
        const std::int64_t pixel = place.row + v * place.rows;
        if (place.has_row && pixel < a.pixels) {
            write_vector(static_cast<Element*>(a.output) + place.at(pixel),
                         normalised<Element, width>(held[v], by, a.silu));
        }
    }
}

/// The moments of a group whose channels' sums are in `sum` and `squares`: of `pixels` elements each, less that channel's
/// `shift`. The answer is lane 0's.
__device__ inline Moments group_moments(const float* sum, const float* squares, const float* shift, int group_size,
                                        int lane, float pixels)
{
    Moments moments;
    for (int c = lane; c < group_size; c += static_cast<int>(warp_size)) {
        const float shifted_mean = sum[c] / pixels;
        moments = joined(moments, {pixels, shift[c] + shifted_mean, fmaxf(squares[c] - sum[c] * shifted_mean, 0.0f)});
    }
    return warp_joined(moments);
}

/// Way::two_passes, first. Block (part, slice, image) leaves the moments of its groups in the workspace. Squares are those of
/// the distance from the part's first pixel: sums of them lose no digits where the mean is far from 0.
template <class Element>
__global__ void __launch_bounds__(pass_threads, 4)
    group_norm_sums(const __grid_constant__ GroupNormArguments a, int columns, int groups_per_slice,
                    std::int64_t pixels_per_part)
{
    constexpr int threads = static_cast<int>(pass_threads);
    constexpr int width = vector_width<Element>;
    __shared__ float sum_scratch[threads * width];
    __shared__ float square_scratch[threads * width];
    __shared__ float shifts[threads * width];
    const Place<Element, threads> place(a, columns, groups_per_slice);
    const auto* input = static_cast<const Element*>(a.input);
    const std::int64_t begin = blockIdx.x * pixels_per_part;
    const std::int64_t end = begin + pixels_per_part < a.pixels ? begin + pixels_per_part : a.pixels;

    float row_bias[width];
    read_row_bias<Element, threads>(a, place, row_bias);
    const auto first = read_vector<width>(input + place.at(begin));
    float shift[width];
    float sums[width] = {};
    float squares[width] = {};
    for (int i = 0; i < width; ++i) {
        shift[i] = widened(first.element[i]);
        if (place.row == 0) {
            shifts[place.column * width + i] = shift[i] + row_bias[i];
        }
    }
    if (place.has_row) {
#pragma unroll 4
        for (std::int64_t pixel = begin + place.row; pixel < end; pixel += place.rows) {
            const auto vector = read_vector<width>(input + place.at(pixel));
            for (int i = 0; i < width; ++i) {
                const float distance = widened(vector.element[i]) - shift[i];
                sums[i] += distance;
                squares[i] += distance * distance;
            }
        }
    }
    sum_columns<Element, threads>(place, sums, sum_scratch);
    sum_columns<Element, threads>(place, squares, square_scratch);
    const auto pixels = static_cast<float>(end - begin);
    for_each_group<threads>(groups_per_slice, [&](int group, int lane) {
        const int c = group * place.group_size;
        const Moments moments =
            group_moments(sum_scratch + c, square_scratch + c, shifts + c, place.group_size, lane, pixels);
        if (lane == 0) {
            const std::int64_t row_group =
                blockIdx.z * a.groups + static_cast<std::int64_t>(blockIdx.y) * groups_per_slice + group;
            float* to = static_cast<float*>(a.workspace) + 2 * (row_group * gridDim.x + blockIdx.x);
            to[0] = moments.mean;
            to[1] = moments.squares;
        }
    });
}

/// Way::two_passes, second. Block (tile, slice, image) joins the moments of all parts and normalises its pixels.
template <class Element>
__global__ void __launch_bounds__(pass_threads, 3)
    group_norm_apply(const __grid_constant__ GroupNormArguments a, int columns, int groups_per_slice,
                     std::int64_t pixels_per_part, int parts, std::int64_t pixels_per_tile)
{
    constexpr int threads = static_cast<int>(pass_threads);
    constexpr int width = vector_width<Element>;
    __shared__ float mean[max_groups_per_slice];
    __shared__ float inverse[max_groups_per_slice];
    const Place<Element, threads> place(a, columns, groups_per_slice);
    const auto* workspace = static_cast<const float*>(a.workspace);
    for_each_group<threads>(groups_per_slice, [&](int group, int lane) {
        const std::int64_t row_group =
            blockIdx.z * a.groups + static_cast<std::int64_t>(blockIdx.y) * groups_per_slice + group;
        Moments moments;
        for (int part = lane; part < parts; part += static_cast<int>(warp_size)) {
            const float* from = workspace + 2 * (row_group * parts + part);
            const std::int64_t rest = a.pixels - part * pixels_per_part;
            const auto pixels = static_cast<float>(rest < pixels_per_part ? rest : pixels_per_part);
            moments = joined(moments, {pixels * static_cast<float>(place.group_size), from[0], from[1]});
        }
        moments = warp_joined(moments);
        if (lane == 0) {
            mean[group] = moments.mean;
            inverse[group] = 1.0f / sqrtf(moments.squares / moments.count + a.eps);
        }
    });
    __syncthreads();

    if (!place.has_row) {
        return;
    }
    float row_bias[width];
    read_row_bias<Element, threads>(a, place, row_bias);
    const auto by = normalisation_of<Element, threads>(a, place, mean, inverse, row_bias);
    const std::int64_t begin = blockIdx.x * pixels_per_tile;
    const std::int64_t end = begin + pixels_per_tile < a.pixels ? begin + pixels_per_tile : a.pixels;
    constexpr int at_once = 4; // reads on their way together: none may overtake a write, as the output may be the input
    for (std::int64_t pixel = begin + place.row; pixel < end; pixel += at_once * place.rows) {
        Vector<Element, width> held[at_once];
#pragma unroll
        for (int v = 0; v < at_once; ++v) {
            if (pixel + v * place.rows < end) {
                held[v] = read_vector<width>(static_cast<const Element*>(a.input) + place.at(pixel + v * place.rows));
            }
        }
#pragma unroll
        for (int v = 0; v < at_once; ++v) {
            if (pixel + v * place.rows < end) {
                write_vector(static_cast<Element*>(a.output) + place.at(pixel + v * place.rows),
                             normalised<Element, width>(held[v], by, a.silu));
            }
        }
    }
}

/// Way::any_shape. Block (group, image): every element by itself, read three times.
template <class Element>
__global__ void __launch_bounds__(pass_threads)
    group_norm_any_shape(const __grid_constant__ GroupNormArguments a, Divider group_size)
{
    constexpr int threads = static_cast<int>(pass_threads);
    const std::int64_t first_channel = static_cast<std::int64_t>(blockIdx.x) * group_size.divisor();
    const std::int64_t image = static_cast<std::int64_t>(blockIdx.y) * a.pixels * a.channels;
    const auto* input = static_cast<const Element*>(a.input) + image;
    const std::int64_t bias_begin = a.bias_rows == 1 ? 0 : blockIdx.y * a.bias_stride;
    const auto* row_bias = static_cast<const Element*>(a.row_bias);
    // All channels of the group are one thread's in turn; where they are fewer than the threads, several pixels at once.
    const auto for_each_element = [&](const auto& run) {
        const std::int64_t size = group_size.divisor();
        const std::int64_t pixels_at_once = size < threads ? threads / size : 1;
        const std::int64_t row = threadIdx.x / (size < threads ? size : threads);
        const std::int64_t column = threadIdx.x % (size < threads ? size : threads);
        for (std::int64_t pixel = row; row < pixels_at_once && pixel < a.pixels; pixel += pixels_at_once) {
            for (std::int64_t c = column; c < size; c += threads) {
                const std::int64_t channel = first_channel + c;
                const float added = row_bias == nullptr ? 0.0f : widened(row_bias[bias_begin + channel]);
                run(pixel * a.channels + channel, channel, widened(input[pixel * a.channels + channel]) + added);
            }
        }
    };
    const float count = static_cast<float>(a.pixels) * static_cast<float>(group_size.divisor());
    float sum = 0;
    for_each_element([&](std::int64_t, std::int64_t, float value) { sum += value; });
    const float mean = block_sum<threads>(sum) / count;
    float squares = 0;
    for_each_element([&](std::int64_t, std::int64_t, float value) { squares += (value - mean) * (value - mean); });
    const float scale = 1.0f / sqrtf(block_sum<threads>(squares) / count + a.eps);
    for_each_element([&](std::int64_t at, std::int64_t channel, float value) {
        const float weight = widened(static_cast<const Element*>(a.weight)[channel]);
        const float result = (value - mean) * scale * weight + widened(static_cast<const Element*>(a.bias)[channel]);
        static_cast<Element*>(a.output)[image + at] = Stored<Element>::of(a.silu ? silu(result) : result);
    });
}

/// The images from `first` on.
inline GroupNormArguments images_from(const GroupNormArguments& a, std::int64_t first, std::int64_t count,
                                      std::int64_t element_bytes, std::int64_t workspace_bytes)
{
    const auto moved = [](const void* from, std::int64_t bytes) { return static_cast<const std::byte*>(from) + bytes; };
    const std::int64_t bytes = first * a.pixels * a.channels * element_bytes;
    GroupNormArguments images = a;
    images.batch = count;
    images.input = moved(a.input, bytes);
    images.output = static_cast<std::byte*>(a.output) + bytes;
    if (a.row_bias != nullptr && a.bias_rows > 1) {
        images.row_bias = moved(a.row_bias, first * a.bias_stride * element_bytes);
        images.bias_rows = 0; // one for each image, even of a single one
    }
    if (a.workspace != nullptr) {
        images.workspace = static_cast<std::byte*>(a.workspace) + workspace_bytes / a.batch * first;
    }
    return images;
}

template <class Element, int vectors>
Status launch_resident(const GroupNormArguments& a, const GroupNormPlan& plan, Queue queue)
{
    return launch(group_norm_resident<Element, vectors>,
                  dim3(1, static_cast<unsigned>(a.groups / plan.groups_per_slice), static_cast<unsigned>(a.batch)),
                  static_cast<unsigned>(resident_threads), queue, a, static_cast<int>(plan.columns),
                  static_cast<int>(plan.groups_per_slice));
}

template <class Element>
Status run_resident(const GroupNormArguments& a, const GroupNormPlan& plan, Queue queue)
{
    const std::int64_t vectors = divided_up(a.pixels, resident_threads / plan.columns);
    return vectors <= 1   ? launch_resident<Element, 1>(a, plan, queue)
           : vectors <= 2 ? launch_resident<Element, 2>(a, plan, queue)
           : vectors <= 4 ? launch_resident<Element, 4>(a, plan, queue)
                          : launch_resident<Element, resident_vectors>(a, plan, queue);
}

template <class Element>
Status run_two_passes(const GroupNormArguments& a, const GroupNormPlan& plan, Queue queue)
{
    const auto slices = static_cast<unsigned>(a.groups / plan.groups_per_slice);
    const auto images = static_cast<unsigned>(a.batch);
    const Status status = launch(group_norm_sums<Element>, dim3(static_cast<unsigned>(plan.parts), slices, images),
                                 static_cast<unsigned>(pass_threads), queue, a, static_cast<int>(plan.columns),
                                 static_cast<int>(plan.groups_per_slice), plan.pixels_per_part);
    if (status != Status::done) {
        return status;
    }
    return launch(group_norm_apply<Element>,
                  dim3(static_cast<unsigned>(divided_up(a.pixels, plan.pixels_per_tile)), slices, images),
                  static_cast<unsigned>(pass_threads), queue, a, static_cast<int>(plan.columns),
                  static_cast<int>(plan.groups_per_slice), plan.pixels_per_part, static_cast<int>(plan.parts),
                  plan.pixels_per_tile);
}

template <class Element>
Status run_planned(const GroupNormArguments& a, const GroupNormPlan& plan, Queue queue)
{
    switch (plan.way) {
    case GroupNormPlan::Way::resident:
        return run_resident<Element>(a, plan, queue);
    case GroupNormPlan::Way::two_passes:
        return run_two_passes<Element>(a, plan, queue);
    case GroupNormPlan::Way::any_shape:
        break;
    }
    return launch(group_norm_any_shape<Element>, dim3(static_cast<unsigned>(a.groups), static_cast<unsigned>(a.batch)),
                  static_cast<unsigned>(pass_threads), queue, a, Divider(a.channels / a.groups));
}

/// The type is not known: enough for each.
std::int64_t group_norm_workspace_bytes(std::int64_t batch, std::int64_t pixels, std::int64_t channels,
                                        std::int64_t groups)
{
    if (!is_valid_group_norm(batch, pixels, channels, groups)) {
        return 0;
    }
    std::int64_t parts = 0;
    for (const ElementType type : {ElementType::float16, ElementType::float32}) {
        const GroupNormPlan plan = plan_group_norm(type, pixels, channels, groups);
        parts = std::max(parts, plan.way == GroupNormPlan::Way::two_passes ? plan.parts : 0);
    }
    return batch * groups * parts * bytes_per_part;
}

Status group_norm(const GroupNormArguments& a, Queue queue)
{
    const std::int64_t workspace_bytes = group_norm_workspace_bytes(a.batch, a.pixels, a.channels, a.groups);
    if (!is_valid(a, workspace_bytes)) {
        return Status::invalid;
    }
    const GroupNormPlan plan = plan_group_norm(a.type, a.pixels, a.channels, a.groups);
    return run_as(a.type, [&]<class Element>(Element) {
        for (std::int64_t first = 0; first < a.batch; first += max_grid_y) {
            const std::int64_t count = std::min(max_grid_y, a.batch - first);
            const GroupNormArguments images = images_from(a, first, count, sizeof(Element), workspace_bytes);
            if (const Status status = run_planned<Element>(images, plan, queue); status != Status::done) {
                return status;
            }
        }
        return Status::done;
    });
}

} // namespace sdfleet::kernels::cuda
