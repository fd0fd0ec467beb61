// SPDX-License-Identifier: Apache-2.0
// Internal to collective/: what an operation needs to know of a tensor.
#pragma once

#include "collective/device_collectives.hpp"
#include "collective/process_group.hpp"

#include <cstddef>
#include <span>

#include <ATen/core/Tensor.h>

namespace sdfleet::collective {

/// A tensor's elements where they lie. The tensor owns them.
struct TensorOperand {
    void* data = nullptr;
    std::size_t count = 0; ///< of elements
    ElementType type{};
    DeviceCollectives* device = nullptr; ///< who moves them, the group's own; null: they are in CPU memory
    DeviceStream stream;                 ///< the device's current one

    /// Only in CPU memory.
    std::span<std::byte> bytes() const { return {static_cast<std::byte*>(data), count * size_of(type)}; }
};

/// InvalidArgument for a tensor that cannot take part, BackendUnavailable for one on a device that the group has no backend
/// for; both name the operation and what to do.
Result<TensorOperand> operand_of(const char* operation, ProcessGroup& group, const at::Tensor& tensor);

/// "Float [2, 3]"
std::string describe(const at::Tensor& tensor);

} // namespace sdfleet::collective
