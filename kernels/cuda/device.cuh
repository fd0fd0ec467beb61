// SPDX-License-Identifier: Apache-2.0
// What the kernels' sources need of CUDA. Any other compiler is given a stand-in before them: tests/gpu/emulation/device.hpp.
#pragma once

#include "kernels/kernel_table.hpp"

#ifdef __CUDACC__
#include <type_traits>

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

namespace sdfleet::kernels::cuda {

/// Puts the kernel into the queue; nobody waits for it.
template <class... Parameters>
Status launch(void (*kernel)(Parameters...), dim3 blocks, unsigned threads, Queue queue,
              std::type_identity_t<Parameters>... parameters)
{
    void* pointers[] = {&parameters...};
    const cudaError_t error = cudaLaunchKernel(reinterpret_cast<const void*>(kernel), blocks, dim3(threads), pointers,
                                               0, static_cast<cudaStream_t>(queue));
    if (error == cudaSuccess) {
        return Status::done;
    }
    static_cast<void>(cudaGetLastError()); // it is told here: whoever asks CUDA next must not find it again
    return Status::failed;
}

} // namespace sdfleet::kernels::cuda
#endif

namespace sdfleet::kernels::cuda {

constexpr unsigned warp_size = 32;
constexpr unsigned whole_warp = 0xffffffffu;
/// Of the y and z of a grid. Its x, like the number of threads in it, may be anything below 2^31.
constexpr std::int64_t max_grid_y = 65'535;

constexpr std::int64_t divided_up(std::int64_t number, std::int64_t by)
{
    return (number + by - 1) / by;
}

} // namespace sdfleet::kernels::cuda
