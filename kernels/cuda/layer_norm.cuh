// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/argument_check.hpp"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/functions.hpp"
#include "kernels/cuda/moments.cuh"

namespace sdfleet::kernels::cuda {

constexpr unsigned layer_norm_threads = 128;
constexpr unsigned layer_norm_warps = layer_norm_threads / warp_size;

/// The row's vector at `at`, with the residual added and rounded, and written to the sum where one is wanted.
template <class Element, int width>
__device__ void read_sum(const LayerNormArguments& a, std::int64_t at, float (&values)[width])
{
    auto vector = read_vector<width>(static_cast<const Element*>(a.input) + at);
    if (a.residual != nullptr) {
        const auto residual = read_vector<width>(static_cast<const Element*>(a.residual) + at);
        for (int i = 0; i < width; ++i) {
            vector.element[i] = Stored<Element>::of(widened(vector.element[i]) + widened(residual.element[i]));
        }
    }
    if (a.sum != nullptr) {
        write_vector(static_cast<Element*>(a.sum) + at, vector);
    }
    for (int i = 0; i < width; ++i) {
        values[i] = widened(vector.element[i]);
    }
}

template <class Element, int width>
__device__ void write_normalised(const LayerNormArguments& a, std::int64_t row_begin, std::int64_t column,
                                 const float (&values)[width], float mean, float scale)
{
    const auto weight = read_vector<width>(static_cast<const Element*>(a.weight) + column);
    const auto bias = read_vector<width>(static_cast<const Element*>(a.bias) + column);
    Vector<Element, width> result;
    for (int i = 0; i < width; ++i) {
        result.element[i] =
            Stored<Element>::of((values[i] - mean) * scale * widened(weight.element[i]) + widened(bias.element[i]));
    }
    write_vector(static_cast<Element*>(a.output) + row_begin + column, result);
}

/// One warp for each row, which stays in its registers: at most warp_size * vectors * width features.
template <class Element, int width, int vectors>
__global__ void __launch_bounds__(layer_norm_threads) layer_norm_rows(const __grid_constant__ LayerNormArguments a)
{
    const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * layer_norm_warps + threadIdx.x / warp_size;
    if (row >= a.rows) {
        return;
    }
    const int lane = static_cast<int>(threadIdx.x % warp_size);
    const int count = static_cast<int>(a.features) / width;
    const auto features = static_cast<float>(a.features);
    float values[vectors][width];
    float sum = 0;
#pragma unroll
    for (int v = 0; v < vectors; ++v) {
        const int index = lane + v * static_cast<int>(warp_size);
        if (index < count) {
            read_sum<Element, width>(a, row * a.features + index * width, values[v]);
            for (int i = 0; i < width; ++i) {
                sum += values[v][i];
            }
        }
    }
    const float mean = warp_sum(sum) / features;
    float squares = 0;
#pragma unroll
    for (int v = 0; v < vectors; ++v) {
        if (lane + v * static_cast<int>(warp_size) < count) {
            for (int i = 0; i < width; ++i) {
                squares += (values[v][i] - mean) * (values[v][i] - mean);
            }
        }
    }
    const float scale = 1.0f / sqrtf(warp_sum(squares) / features + a.eps);
#pragma unroll
    for (int v = 0; v < vectors; ++v) {
        const int index = lane + v * static_cast<int>(warp_size);
        if (index < count) {
            write_normalised<Element, width>(a, row * a.features, index * width, values[v], mean, scale);
        }
    }
}

constexpr unsigned wide_row_threads = 256;

/// One block for each row of any length, which is read three times.
template <class Element>
__global__ void __launch_bounds__(wide_row_threads) layer_norm_wide_row(const __grid_constant__ LayerNormArguments a)
{
    const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * a.features;
    const auto features = static_cast<float>(a.features);
    float sum = 0;
    for (std::int64_t i = threadIdx.x; i < a.features; i += wide_row_threads) {
        float value[1];
        read_sum<Element, 1>(a, begin + i, value);
        sum += value[0];
    }
    const float mean = block_sum<wide_row_threads>(sum) / features;
    // From now on the sum is read where it was written: it may have been written over an input.
    LayerNormArguments again = a;
    if (a.sum != nullptr) {
        again.input = a.sum;
        again.residual = nullptr;
        again.sum = nullptr;
    }
    float squares = 0;
    for (std::int64_t i = threadIdx.x; i < a.features; i += wide_row_threads) {
        float value[1];
        read_sum<Element, 1>(again, begin + i, value);
        squares += (value[0] - mean) * (value[0] - mean);
    }
    const float scale = 1.0f / sqrtf(block_sum<wide_row_threads>(squares) / features + a.eps);
    for (std::int64_t i = threadIdx.x; i < a.features; i += wide_row_threads) {
        float value[1];
        read_sum<Element, 1>(again, begin + i, value);
        write_normalised<Element, 1>(a, begin, i, value, mean, scale);
    }
}

template <class Element, int vectors>
Status layer_norm_in_registers(const LayerNormArguments& a, Queue queue)
{
    return launch(layer_norm_rows<Element, vector_width<Element>, vectors>,
                  dim3(static_cast<unsigned>(divided_up(a.rows, layer_norm_warps))), layer_norm_threads, queue, a);
}

template <class Element>
Status layer_norm_as(const LayerNormArguments& a, Queue queue)
{
    constexpr int width = vector_width<Element>;
    constexpr int most = 16 / static_cast<int>(sizeof(Element)) == 4 ? 16 : 8; // 64 registers hold 2048 features
    const std::int64_t vectors = divided_up(a.features, width * warp_size);
    if (a.features % width != 0 || vectors > most) {
        return launch(layer_norm_wide_row<Element>, dim3(static_cast<unsigned>(a.rows)), wide_row_threads, queue, a);
    }
    if (vectors <= 2) {
        return layer_norm_in_registers<Element, 2>(a, queue);
    }
    if (vectors <= 3) {
        return layer_norm_in_registers<Element, 3>(a, queue);
    }
    if (vectors <= 5) {
        return layer_norm_in_registers<Element, 5>(a, queue);
    }
    if (most > 10 && vectors <= 10) {
        return layer_norm_in_registers < Element, most == 16 ? 10 : most > (a, queue);
    }
    return layer_norm_in_registers<Element, most>(a, queue);
}

Status layer_norm(const LayerNormArguments& a, Queue queue)
{
    return is_valid(a) ? run_as(a.type, [&]<class Element>(Element) { return layer_norm_as<Element>(a, queue); })
                       : Status::invalid;
}

} // namespace sdfleet::kernels::cuda
