// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "pipeline/dtype.hpp"

#include <string>
#include <string_view>

#include <ATen/core/Tensor.h>

namespace sdfleet::pipeline {

/// Where the model lives and in which type. `device`: "cpu", "cuda:N", or "auto": the first GPU if there is one that
/// works, else the CPU. Dtype::automatic is fp16 on a GPU and fp32 on the CPU. ExitCode::usage for a text that is none of
/// these or a type that the device cannot draw with, failed for a device that cannot be used here, with the reason.
base::Result<at::TensorOptions> resolve_placement(std::string_view device, Dtype dtype);

/// "fp32", "fp16" or "bf16".
std::string dtype_name(const at::TensorOptions& options);

} // namespace sdfleet::pipeline
