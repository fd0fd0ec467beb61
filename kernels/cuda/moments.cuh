// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/device.cuh"

namespace sdfleet::kernels::cuda {

/// The sum of all lanes' values, the same bits in each lane: a butterfly adds the same pairs whichever side it is seen from.
__device__ inline float warp_sum(float value)
{
    for (unsigned distance = warp_size / 2; distance > 0; distance /= 2) {
        value += __shfl_xor_sync(whole_warp, value, distance);
    }
    return value;
}

/// The sum of all threads' values, in each thread; `threads` is a multiple of 32 and the size of the block.
template <unsigned threads>
__device__ float block_sum(float value)
{
    constexpr unsigned warps = threads / warp_size;
    __shared__ float sums[warps];
    value = warp_sum(value);
    __syncthreads(); // the sums of a call before may still be read
    if (threadIdx.x % warp_size == 0) {
        sums[threadIdx.x / warp_size] = value;
    }
    __syncthreads();
    const unsigned lane = threadIdx.x % warp_size;
    return warp_sum(lane < warps ? sums[lane] : 0.0f);
}

/// Of a set of numbers; sets are joined without the loss of digits that sums of squares bring (Chan, Golub, LeVeque 1979).
struct Moments {
    float count = 0;
    float mean = 0;
    float squares = 0; ///< the sum of squared deviations from the mean
};

__device__ inline Moments joined(const Moments& a, const Moments& b)
{
    const float count = a.count + b.count;
    if (count == 0.0f) {
        return a;
    }
    const float share = b.count / count;
    const float delta = b.mean - a.mean;
    return {count, a.mean + delta * share, a.squares + b.squares + delta * delta * a.count * share};
}

/// Of all lanes' numbers; the answer is lane 0's, as the others join in other orders.
__device__ inline Moments warp_joined(Moments moments)
{
    for (unsigned distance = warp_size / 2; distance > 0; distance /= 2) {
        const Moments other = {__shfl_down_sync(whole_warp, moments.count, distance),
                               __shfl_down_sync(whole_warp, moments.mean, distance),
                               __shfl_down_sync(whole_warp, moments.squares, distance)};
        moments = joined(moments, other);
    }
    return moments;
}

} // namespace sdfleet::kernels::cuda
