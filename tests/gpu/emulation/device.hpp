// SPDX-License-Identifier: Apache-2.0
// CUDA's vocabulary for any C++ compiler, as far as kernels/cuda/ uses it: blocks run one after the other, the threads of a
// block as fibers of one thread, which change places where they wait for each other. Shows that indices, reductions and
// barriers are right; says nothing about a GPU's speed, its rounding of fast functions or its memory order.
//
// Include it before any header of kernels/cuda/, in one source file of a program.
#pragma once

#include "kernels/kernel_table.hpp"
#include "tests/gpu/emulation/fibers.hpp"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#define __global__
#define __device__
#define __shared__ static // blocks do not run at the same time
#define __launch_bounds__(...)
#define __grid_constant__

namespace sdfleet::kernels::cuda {

using sdfleet::gpu_test::dim3;

struct alignas(8) uint2 {
    std::uint32_t x, y;
};
struct alignas(16) uint4 {
    std::uint32_t x, y, z, w;
};

inline dim3 threadIdx, blockIdx, blockDim, gridDim;

inline void __syncthreads()
{
    gpu_test::BlockOfFibers::current().wait_for_block();
}

template <class Value>
Value __shfl_xor_sync(unsigned, Value value, unsigned distance)
{
    const unsigned lane = threadIdx.x % 32;
    return gpu_test::BlockOfFibers::current().exchange(value, lane ^ distance);
}

template <class Value>
Value __shfl_down_sync(unsigned, Value value, unsigned distance)
{
    const unsigned lane = threadIdx.x % 32;
    return gpu_test::BlockOfFibers::current().exchange(value, lane + distance < 32 ? lane + distance : lane);
}

inline std::uint32_t __umulhi(std::uint32_t a, std::uint32_t b)
{
    return static_cast<std::uint32_t>((std::uint64_t{a} * b) >> 32);
}

inline float __expf(float value)
{
    return std::exp(value);
}

inline float __fdividef(float a, float b)
{
    return a / b;
}

template <class Value>
void __stwb(Value* to, Value value)
{
    std::memcpy(to, &value, sizeof(value)); // where elements of another type are read
}

template <class... Parameters>
Status launch(void (*kernel)(Parameters...), dim3 blocks, unsigned threads, Queue,
              std::type_identity_t<Parameters>... parameters)
{
    gridDim = blocks;
    blockDim = {threads};
    gpu_test::for_each_block(blocks, [&](dim3 block) {
        blockIdx = block;
        gpu_test::BlockOfFibers(threads, [&] { kernel(parameters...); }).run([](unsigned thread) {
            threadIdx = {thread};
        });
    });
    return Status::done;
}

} // namespace sdfleet::kernels::cuda
