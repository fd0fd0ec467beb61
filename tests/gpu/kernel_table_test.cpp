// SPDX-License-Identifier: Apache-2.0
// The real plug-in's kernels, as far as they go on any machine: the table is there, refuses what it must, and says that a launch
// failed where there is no GPU.
#include "tests/gpu/kernel_checks.hpp"
#include "tests/gpu/kernel_library.hpp"

#include "tests/catch.hpp"

using namespace sdfleet::gpu_test;
using namespace sdfleet::kernels;

TEST_CASE("the plug-in has the kernels that its build had a compiler for")
{
    const KernelTable* table = kernels_of(SDFLEET_CUDA_PLUGIN);

    REQUIRE((table != nullptr) == SDFLEET_HAS_CUDA_KERNELS);
    if (table != nullptr) {
        REQUIRE(table->version == kernel_table_version);
        REQUIRE(table->table_bytes == sizeof(KernelTable));
    }
}

TEST_CASE("the plug-in's kernels refuse before they look for a GPU")
{
    if (const KernelTable* table = kernels_of(SDFLEET_CUDA_PLUGIN)) {
        HostMemory memory;
        check_refusals({*table, memory});
        REQUIRE(table->group_norm_workspace_bytes(2, 4'096, 320, 32) > 0);
        REQUIRE(table->group_norm_workspace_bytes(2, 64, 1'280, 32) == 0);
        REQUIRE(table->group_norm_workspace_bytes(2, 64, 1'280, 33) == 0);
    }
}

TEST_CASE("a launch that fails is said so")
{
    const KernelTable* table = kernels_of(SDFLEET_CUDA_PLUGIN);
    void* driver = ::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
    if (table == nullptr || driver != nullptr) {
        SUCCEED("no kernels, or a driver: kernels_gpu_test is about it");
        return;
    }
    alignas(16) float values[8] = {};
    REQUIRE(table->bias_residual({.type = ElementType::float32,
                                  .input = values,
                                  .bias = nullptr,
                                  .residual = nullptr,
                                  .output = values,
                                  .rows = 1,
                                  .channels = 8},
                                 nullptr) == Status::failed);
}
