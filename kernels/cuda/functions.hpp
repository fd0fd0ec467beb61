// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/kernel_table.hpp"

/// What libsdfleet_cuda.so's table holds.
namespace sdfleet::kernels::cuda {

std::int64_t group_norm_workspace_bytes(std::int64_t batch, std::int64_t pixels, std::int64_t channels,
                                        std::int64_t groups);
Status group_norm(const GroupNormArguments& arguments, Queue queue);
Status layer_norm(const LayerNormArguments& arguments, Queue queue);
Status geglu(const GegluArguments& arguments, Queue queue);
Status bias_residual(const BiasResidualArguments& arguments, Queue queue);
Status upsample_nearest(const UpsampleArguments& arguments, Queue queue);
Status model_input(const ModelInputArguments& arguments, Queue queue);
Status sample_update(const SampleUpdateArguments& arguments, Queue queue);
Status image_bytes(const ImageBytesArguments& arguments, Queue queue);

} // namespace sdfleet::kernels::cuda
