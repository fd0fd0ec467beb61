// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/kernel_table.hpp"

/// Whether a kernel takes these arguments. Both implementations ask here, so that what one refuses the other refuses too.
/// Nothing that a pointer to an array points to is read; host arrays of parameters are.
namespace sdfleet::kernels {

/// Of each size, and of the elements of each array. Far beyond any memory, and small enough that no product overflows.
constexpr std::int64_t max_size = (std::int64_t{1} << 31) - 1;
constexpr std::int64_t max_elements = std::int64_t{1} << 42;

bool is_valid_group_norm(std::int64_t batch, std::int64_t pixels, std::int64_t channels, std::int64_t groups);
/// `workspace_bytes`: of the implementation that asks.
bool is_valid(const GroupNormArguments& arguments, std::int64_t workspace_bytes);
bool is_valid(const LayerNormArguments& arguments);
bool is_valid(const GegluArguments& arguments);
bool is_valid(const BiasResidualArguments& arguments);
bool is_valid(const UpsampleArguments& arguments);
bool is_valid(const ModelInputArguments& arguments);
bool is_valid(const SampleUpdateArguments& arguments);
bool is_valid(const ImageBytesArguments& arguments);

} // namespace sdfleet::kernels
