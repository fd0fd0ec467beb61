// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/process_group.hpp"

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace sdfleet::collective {

// The operations of a process group on tensors, under torch.distributed's names. Tensors must be dense, contiguous and of
// a type that ElementType knows, and equal on all ranks in size and type; else InvalidArgument, which names the operation
// and leaves the group as it was, or SizeMismatch. A tensor on a GPU goes over the group's device backend, after what Torch's
// current stream holds; it must be on this rank's device (NcclOptions::device). Without such a backend: BackendUnavailable,
// which leaves the group as it was, too. Deadlines and all other errors are ProcessGroup's.

/// In place, the same to the bit on all ranks.
Result<void> all_reduce(ProcessGroup& group, at::Tensor& tensor, ReduceOp op = ReduceOp::sum, Timeout timeout = {});

/// `tensor` of rank `src` becomes that of all, in place.
Result<void> broadcast(ProcessGroup& group, at::Tensor& tensor, std::uint32_t src, Timeout timeout = {});

/// At rank `dst` the tensors of all ranks, by rank, rows of one block of memory; elsewhere none.
Result<std::vector<at::Tensor>> gather(ProcessGroup& group, const at::Tensor& tensor, std::uint32_t dst = 0,
                                       Timeout timeout = {});

/// The same on every rank.
Result<std::vector<at::Tensor>> all_gather(ProcessGroup& group, const at::Tensor& tensor, Timeout timeout = {});

/// `tensor` becomes inputs[rank] of rank `src`, where there are world_size of them, shaped like `tensor`. `inputs` of others
/// do not count.
Result<void> scatter(ProcessGroup& group, at::Tensor& tensor, const std::vector<at::Tensor>& inputs,
                     std::uint32_t src = 0, Timeout timeout = {});

/// Returns when the tensor is on its way; from a GPU only once the other rank receives it.
Result<void> send(ProcessGroup& group, const at::Tensor& tensor, std::uint32_t dst, std::uint32_t tag = 0,
                  Timeout timeout = {});

/// Fills `tensor`, which has the size of the one that is sent.
Result<void> recv(ProcessGroup& group, at::Tensor& tensor, std::uint32_t src, std::uint32_t tag = 0,
                  Timeout timeout = {});

/// torch.uint8 and so on as the group names them; InvalidArgument for the rest (bool, complex, quantised).
Result<ElementType> element_type_of(at::ScalarType type);

} // namespace sdfleet::collective
