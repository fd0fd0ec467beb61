// SPDX-License-Identifier: Apache-2.0
// A block's share of group_norm: a slice of the channels, in columns of 16 bytes.
#pragma once

#include "kernels/cuda/element.cuh"
#include "kernels/cuda/group_norm_plan.hpp"
#include "kernels/cuda/moments.cuh"

namespace sdfleet::kernels::cuda {

/// Where this thread stands. Threads that are left over when the columns are dealt out have no row.
template <class Element, int threads>
struct Place {
    static constexpr int width = vector_width<Element>;

    __device__ Place(const GroupNormArguments& a, int columns_, int groups_per_slice_)
        : columns(columns_), groups_per_slice(groups_per_slice_), group_size(static_cast<int>(a.channels / a.groups)),
          rows(threads / columns_), column(static_cast<int>(threadIdx.x) % columns_),
          row(static_cast<int>(threadIdx.x) / columns_), has_row(row < rows),
          image(static_cast<std::int64_t>(blockIdx.z) * a.pixels * a.channels),
          slice_channel(static_cast<std::int64_t>(blockIdx.y) * columns_ * width),
          channel(slice_channel + column * width), channels(a.channels)
    {
    }

    /// The index of this column's vector of a pixel.
    __device__ std::int64_t at(std::int64_t pixel) const { return image + pixel * channels + channel; }
    /// Within the slice, of element i of this column's vectors.
    __device__ int group(int i) const { return (column * width + i) / group_size; }

    int columns, groups_per_slice, group_size;
    int rows;   ///< pixels that the block reads at once
    int column; ///< of `columns`
    int row;    ///< of `rows`
    bool has_row;
    std::int64_t image;         ///< index of its first element
    std::int64_t slice_channel; ///< the slice's first channel
    std::int64_t channel;       ///< this column's first channel
    std::int64_t channels;
};

/// What is added to the elements of this column before anything else.
template <class Element, int threads>
__device__ void read_row_bias(const GroupNormArguments& a, const Place<Element, threads>& place,
                              float (&bias)[vector_width<Element>])
{
    const std::int64_t begin = (a.bias_rows == 1 ? 0 : blockIdx.z * a.bias_stride) + place.channel;
    for (int i = 0; i < place.width; ++i) {
        bias[i] = a.row_bias == nullptr ? 0.0f : widened(static_cast<const Element*>(a.row_bias)[begin + i]);
    }
}

/// Into the beginning of `scratch`, one for each channel of the slice: the sum of `values` over the rows of the block, always in the same order.
/// `scratch` has room for width floats of each thread, and nobody reads it any more. All threads call it; the sums may be read
/// when it returns.
template <class Element, int threads>
__device__ void sum_columns(const Place<Element, threads>& place, const float (&values)[vector_width<Element>],
                            float* scratch)
{
    constexpr int width = vector_width<Element>;
    const int slice = place.columns * width;
    float* own = scratch + place.row * slice + place.column * width;
    if (place.has_row) {
        for (int i = 0; i < width; ++i) {
            own[i] = values[i];
        }
    }
    for (int rows = place.rows; rows > 1;) {
        const int kept = (rows + 1) / 2;
        __syncthreads();
        if (place.row + kept < rows) {
            for (int i = 0; i < width; ++i) {
                own[i] += own[kept * slice + i];
            }
        }
        rows = kept;
    }
    __syncthreads();
}

/// The slice's groups, one warp after the other: `run`(group within the slice, lane).
template <int threads, class Run>
__device__ void for_each_group(int groups, const Run& run)
{
    for (int group = static_cast<int>(threadIdx.x / warp_size); group < groups;
         group += threads / static_cast<int>(warp_size)) {
        run(group, static_cast<int>(threadIdx.x % warp_size));
    }
}

/// What becomes of an element of a channel: (value + row_bias - mean) * scale + bias, in two steps.
template <int width>
struct Normalisation {
    float shift[width]; ///< mean - row_bias
    float scale[width];
    float bias[width];
};

/// `mean` and `inverse`, 1 / standard deviation, of each group of the slice.
template <class Element, int threads>
__device__ Normalisation<vector_width<Element>>
normalisation_of(const GroupNormArguments& a, const Place<Element, threads>& place, const float* mean,
                 const float* inverse, const float (&row_bias)[vector_width<Element>])
{
    constexpr int width = vector_width<Element>;
    const auto weight = read_vector<width>(static_cast<const Element*>(a.weight) + place.channel);
    const auto bias = read_vector<width>(static_cast<const Element*>(a.bias) + place.channel);
    Normalisation<width> of;
    for (int i = 0; i < width; ++i) {
        const int group = place.group(i);
        of.shift[i] = mean[group] - row_bias[i];
        of.scale[i] = inverse[group] * widened(weight.element[i]);
        of.bias[i] = widened(bias.element[i]);
    }
    return of;
}

__device__ inline float silu(float value)
{
    return __fdividef(value, 1.0f + __expf(-value));
}

template <class Element, int width>
__device__ Vector<Element, width> normalised(const Vector<Element, width>& vector, const Normalisation<width>& by,
                                             bool with_silu)
{
    // In steps that have no branch for each element: the elements are then written together.
    float values[width];
    for (int i = 0; i < width; ++i) {
        values[i] = (widened(vector.element[i]) - by.shift[i]) * by.scale[i] + by.bias[i];
    }
    if (with_silu) {
        for (int i = 0; i < width; ++i) {
            values[i] = silu(values[i]);
        }
    }
    Vector<Element, width> result;
    for (int i = 0; i < width; ++i) {
        result.element[i] = Stored<Element>::of(values[i]);
    }
    return result;
}

} // namespace sdfleet::kernels::cuda
