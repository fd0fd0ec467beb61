// SPDX-License-Identifier: Apache-2.0
#include "collective/tensor_group.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>

#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>

namespace sdfleet::collective {

namespace {

/// A tensor's elements, which it owns.
struct Elements {
    std::span<std::byte> bytes;
    ElementType type{};
};

tl::unexpected<Error> refuse(const char* operation, const std::string& why)
{
    return tl::unexpected(Error{InvalidArgument{}, std::string(operation) + ": " + why});
}

std::string describe(const at::Tensor& tensor)
{
    std::string text = c10::toString(tensor.scalar_type()) + std::string(" [");
    for (const char* comma = ""; const auto size : tensor.sizes()) {
        text += comma + std::to_string(size);
        comma = ", ";
    }
    return text + "]";
}

/// Where tensors that are not in CPU memory take their own way: over the group's device backend. It has none yet.
Error device_collectives(const char* operation, const at::Tensor& tensor)
{
    return {BackendUnavailable{}, std::string(operation) + ": the tensor is on " + tensor.device().str() +
                                      ", and the group has no backend for it; make it with Backend::nccl, or pass "
                                      "tensor.cpu()"};
}

Result<Elements> elements_of(const char* operation, const at::Tensor& tensor)
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
    if (!tensor.is_cpu()) {
        return tl::unexpected(device_collectives(operation, tensor));
    }
    return Elements{{static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes()}, *type};
}

/// Room for one tensor like `tensor` of each rank.
at::Tensor block_for(const ProcessGroup& group, const at::Tensor& tensor)
{
    auto sizes = tensor.sizes().vec();
    sizes.insert(sizes.begin(), static_cast<std::int64_t>(group.world_size()));
    return at::empty(sizes, tensor.options());
}

std::span<std::byte> bytes_of(const at::Tensor& block)
{
    return {static_cast<std::byte*>(block.data_ptr()), block.nbytes()};
}

/// What rank `src` gives to scatter, one after the other.
Result<at::Tensor> block_of(const ProcessGroup& group, const at::Tensor& tensor, const std::vector<at::Tensor>& inputs)
{
    if (inputs.size() != group.world_size()) {
        return refuse("scatter",
                      std::to_string(inputs.size()) + " tensors for " + std::to_string(group.world_size()) + " ranks");
    }
    for (const auto& input : inputs) {
        if (const auto fine = elements_of("scatter", input); !fine) {
            return tl::unexpected(fine.error());
        }
        if (input.sizes() != tensor.sizes() || input.scalar_type() != tensor.scalar_type()) {
            return refuse("scatter", "the tensors must be like the one to fill, " + describe(tensor) + "; one is " +
                                         describe(input));
        }
    }
    return at::stack(inputs);
}

} // namespace

Result<ElementType> element_type_of(at::ScalarType type)
{
    switch (type) {
    case at::kByte:
        return ElementType::uint8;
    case at::kChar:
        return ElementType::int8;
    case at::kInt:
        return ElementType::int32;
    case at::kLong:
        return ElementType::int64;
    case at::kHalf:
        return ElementType::float16;
    case at::kBFloat16:
        return ElementType::bfloat16;
    case at::kFloat:
        return ElementType::float32;
    case at::kDouble:
        return ElementType::float64;
    default:
        return tl::unexpected(Error{InvalidArgument{}, std::string("tensors of type ") + c10::toString(type) +
                                                           " cannot be sent; convert to one of uint8, int8, int32, "
                                                           "int64, float16, bfloat16, float32, float64"});
    }
}

Result<void> all_reduce(ProcessGroup& group, at::Tensor& tensor, ReduceOp op, Timeout timeout)
{
    return elements_of("all_reduce", tensor).and_then([&](const Elements& elements) {
        return group.all_reduce(elements.bytes, elements.type, op, timeout);
    });
}

Result<void> broadcast(ProcessGroup& group, at::Tensor& tensor, std::uint32_t src, Timeout timeout)
{
    return elements_of("broadcast", tensor).and_then([&](const Elements& elements) {
        return group.broadcast_into(elements.bytes, src, timeout);
    });
}

Result<std::vector<at::Tensor>> gather(ProcessGroup& group, const at::Tensor& tensor, std::uint32_t dst,
                                       Timeout timeout)
{
    const auto elements = elements_of("gather", tensor);
    if (!elements) {
        return tl::unexpected(elements.error());
    }
    if (group.rank() != dst) {
        return group.gather_into(elements->bytes, {}, dst, timeout).map([] { return std::vector<at::Tensor>(); });
    }
    const auto block = block_for(group, tensor);
    return group.gather_into(elements->bytes, bytes_of(block), dst, timeout).map([&] { return block.unbind(); });
}

Result<std::vector<at::Tensor>> all_gather(ProcessGroup& group, const at::Tensor& tensor, Timeout timeout)
{
    const auto elements = elements_of("all_gather", tensor);
    if (!elements) {
        return tl::unexpected(elements.error());
    }
    const auto block = block_for(group, tensor);
    return group.all_gather_into(elements->bytes, bytes_of(block), timeout).map([&] { return block.unbind(); });
}

Result<void> scatter(ProcessGroup& group, at::Tensor& tensor, const std::vector<at::Tensor>& inputs, std::uint32_t src,
                     Timeout timeout)
{
    const auto elements = elements_of("scatter", tensor);
    if (!elements) {
        return tl::unexpected(elements.error());
    }
    if (group.rank() != src) {
        return group.scatter_into({}, elements->bytes, src, timeout);
    }
    return block_of(group, tensor, inputs).and_then([&](const at::Tensor& block) {
        return group.scatter_into(bytes_of(block), elements->bytes, src, timeout);
    });
}

Result<void> send(ProcessGroup& group, const at::Tensor& tensor, std::uint32_t dst, std::uint32_t tag, Timeout timeout)
{
    return elements_of("send", tensor).and_then([&](const Elements& elements) {
        return group.send(elements.bytes, dst, tag, timeout);
    });
}

Result<void> recv(ProcessGroup& group, at::Tensor& tensor, std::uint32_t src, std::uint32_t tag, Timeout timeout)
{
    return elements_of("recv", tensor).and_then([&](const Elements& elements) {
        return group.recv_into(elements.bytes, src, tag, timeout);
    });
}

} // namespace sdfleet::collective
