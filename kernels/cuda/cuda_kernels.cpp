// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/functions.hpp"

/// What kernel_table_symbol names. Lives as long as the plug-in is loaded.
extern "C" __attribute__((visibility("default"))) const sdfleet::kernels::KernelTable* sdfleet_cuda_kernels_v1()
{
    namespace cuda = sdfleet::kernels::cuda;
    static constexpr sdfleet::kernels::KernelTable table{
        .version = sdfleet::kernels::kernel_table_version,
        .table_bytes = sizeof(sdfleet::kernels::KernelTable),
        .group_norm_workspace_bytes = cuda::group_norm_workspace_bytes,
        .group_norm = cuda::group_norm,
        .layer_norm = cuda::layer_norm,
        .geglu = cuda::geglu,
        .bias_residual = cuda::bias_residual,
        .upsample_nearest = cuda::upsample_nearest,
        .model_input = cuda::model_input,
        .sample_update = cuda::sample_update,
        .image_bytes = cuda::image_bytes,
    };
    return &table;
}
