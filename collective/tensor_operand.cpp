// SPDX-License-Identifier: Apache-2.0
#include "collective/tensor_operand.hpp"

#include "collective/process_group_impl.hpp"
#include "collective/tensor_group.hpp"

#include <string>

#include <c10/core/impl/VirtualGuardImpl.h>

namespace sdfleet::collective {

namespace {

tl::unexpected<Error> refuse(const char* operation, const std::string& why)
{
    return tl::unexpected(Error{InvalidArgument{}, std::string(operation) + ": " + why});
}

/// Where tensors that are not in CPU memory take their own way: over the group's backend for their device.
Result<DeviceCollectives*> device_collectives(const char* operation, ProcessGroup& group, const at::Tensor& tensor)
{
    if (auto* device = group.impl().device.get()) {
        if (device->device() != tensor.device().str()) {
            return refuse(operation, "the tensor is on " + tensor.device().str() + ", and this rank's device is " +
                                         device->device());
        }
        return device;
    }
    return tl::unexpected(Error{BackendUnavailable{}, std::string(operation) + ": the tensor is on " +
                                                          tensor.device().str() +
                                                          ", and the group has no backend for it; make it with "
                                                          "Backend::nccl, or pass tensor.cpu()"});
}

/// In CUDA's case the stream that LibTorch computes on at the moment. Without CUDA's headers, which this build may lack.
DeviceStream current_stream(const at::Tensor& tensor)
{
    if (!tensor.is_cuda()) {
        return {};
    }
    return {c10::impl::VirtualGuardImpl(tensor.device().type()).getStream(tensor.device()).native_handle()};
}

} // namespace

std::string describe(const at::Tensor& tensor)
{
    std::string text = c10::toString(tensor.scalar_type()) + std::string(" [");
    for (const char* comma = ""; const auto size : tensor.sizes()) {
        text += comma + std::to_string(size);
        comma = ", ";
    }
    return text + "]";
}

Result<TensorOperand> operand_of(const char* operation, ProcessGroup& group, const at::Tensor& tensor)
{
    if (!tensor.defined()) {
        return refuse(operation, "the tensor is undefined");
    }
    if (tensor.layout() != at::kStrided || tensor.is_quantized()) {
        return refuse(operation, "the tensor must be dense, and not quantised");
    }
    if (!tensor.is_contiguous()) {
        return refuse(operation, "the tensor, " + describe(tensor) + ", is not contiguous; pass tensor.contiguous()");
    }
    const auto type = element_type_of(tensor.scalar_type());
    if (!type) {
        return refuse(operation, type.error().message);
    }
    TensorOperand operand{tensor.data_ptr(), static_cast<std::size_t>(tensor.numel()), *type, nullptr, {}};
    if (tensor.is_cpu()) {
        return operand;
    }
    return device_collectives(operation, group, tensor).map([&](DeviceCollectives* device) {
        operand.device = device;
        operand.stream = current_stream(tensor);
        return operand;
    });
}

} // namespace sdfleet::collective
