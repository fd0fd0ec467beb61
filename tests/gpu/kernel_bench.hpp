// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/gpu/device_kernel_memory.hpp"

#include "kernels/kernel_table.hpp"

#include <nlohmann/json.hpp>

namespace sdfleet::gpu_test {

/// Every kernel at the sizes of kernel_shapes.hpp, in fp16, as nodes of a CUDA graph: an array of
/// {kernel, shape, bytes, microseconds, gigabytes_per_second, cached_microseconds}. `bytes` are those that cannot be avoided:
/// each input read once, each output written once. `microseconds` are over more arrays than the L2 cache holds, the cached ones
/// over the same arrays again and again, as inside a UNet, where the operator before has just written them.
nlohmann::json bench_kernels(const kernels::KernelTable& table, DeviceKernelMemory& memory);

} // namespace sdfleet::gpu_test
