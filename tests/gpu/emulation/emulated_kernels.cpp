// SPDX-License-Identifier: Apache-2.0
#include "tests/gpu/emulation/device.hpp"

#include "tests/gpu/emulation/emulated_kernels.hpp"

#include "kernels/cuda/bias_residual.cuh"
#include "kernels/cuda/geglu.cuh"
#include "kernels/cuda/group_norm.cuh"
#include "kernels/cuda/image_bytes.cuh"
#include "kernels/cuda/layer_norm.cuh"
#include "kernels/cuda/sampling.cuh"
#include "kernels/cuda/upsample_nearest.cuh"

extern "C" const sdfleet::kernels::KernelTable* sdfleet_cuda_kernels_v1();

namespace sdfleet::gpu_test {

const kernels::KernelTable& emulated_kernels()
{
    return *sdfleet_cuda_kernels_v1();
}

std::uint32_t divided(std::uint32_t number, std::uint32_t divisor)
{
    return kernels::cuda::Divider(divisor).quotient(number);
}

} // namespace sdfleet::gpu_test
