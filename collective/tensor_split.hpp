// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/split_between_processes.hpp"

#include <ATen/core/Tensor.h>

namespace sdfleet::collective {

/// The rows (first dimension) of a process; with padding the input's last row repeated. Without padding it is a view of
/// `rows`. InvalidArgument for a tensor without dimensions. Lets PartialState::split_between_processes take tensors.
Result<at::Tensor> take(const at::Tensor& rows, std::uint32_t num_processes, std::uint32_t rank, Padding padding);

} // namespace sdfleet::collective
