// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu_kernels.hpp"

#include "kernels/cpu/functions.hpp"

namespace sdfleet::kernels {

const KernelTable& cpu_kernels()
{
    static constexpr KernelTable table{
        .version = kernel_table_version,
        .table_bytes = sizeof(KernelTable),
        .group_norm_workspace_bytes = cpu::group_norm_workspace_bytes,
        .group_norm = cpu::group_norm,
        .layer_norm = cpu::layer_norm,
        .geglu = cpu::geglu,
        .bias_residual = cpu::bias_residual,
        .upsample_nearest = cpu::upsample_nearest,
        .model_input = cpu::model_input,
        .sample_update = cpu::sample_update,
        .image_bytes = cpu::image_bytes,
    };
    return table;
}

} // namespace sdfleet::kernels
