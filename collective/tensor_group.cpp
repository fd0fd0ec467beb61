// SPDX-License-Identifier: Apache-2.0
#include "collective/tensor_group.hpp"

#include "collective/tensor_operand.hpp"

#include <string>

#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>

namespace sdfleet::collective {

namespace {

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
Result<at::Tensor> block_of(ProcessGroup& group, const at::Tensor& tensor, const std::vector<at::Tensor>& inputs)
{
    const auto refuse = [](const std::string& why) {
        return tl::unexpected(Error{InvalidArgument{}, "scatter: " + why});
    };
    if (inputs.size() != group.world_size()) {
        return refuse(std::to_string(inputs.size()) + " tensors for " + std::to_string(group.world_size()) + " ranks");
    }
    for (const auto& input : inputs) {
        if (const auto fine = operand_of("scatter", group, input); !fine) {
            return tl::unexpected(fine.error());
        }
        if (input.sizes() != tensor.sizes() || input.scalar_type() != tensor.scalar_type() ||
            input.device() != tensor.device()) {
            return refuse("the tensors must be like the one to fill, " + describe(tensor) + "; one is " +
                          describe(input));
        }
    }
    return at::stack(inputs);
}

/// NCCL sends without tags.
Result<void> find_tag_fault(const char* operation, const TensorOperand& operand, std::uint32_t tag)
{
    if (operand.device == nullptr || tag == 0) {
        return {};
    }
    return tl::unexpected(Error{InvalidArgument{}, std::string(operation) + ": tag " + std::to_string(tag) +
                                                       "; tensors on a device are sent without tags"});
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
    return operand_of("all_reduce", group, tensor).and_then([&](const TensorOperand& o) {
        return o.device ? o.device->all_reduce(o.data, o.count, o.type, op, o.stream, timeout)
                        : group.all_reduce(o.bytes(), o.type, op, timeout);
    });
}

Result<void> broadcast(ProcessGroup& group, at::Tensor& tensor, std::uint32_t src, Timeout timeout)
{
    return operand_of("broadcast", group, tensor).and_then([&](const TensorOperand& o) {
        return o.device ? o.device->broadcast(o.data, o.count, o.type, src, o.stream, timeout)
                        : group.broadcast_into(o.bytes(), src, timeout);
    });
}

Result<std::vector<at::Tensor>> gather(ProcessGroup& group, const at::Tensor& tensor, std::uint32_t dst,
                                       Timeout timeout)
{
    return operand_of("gather", group, tensor).and_then([&](const TensorOperand& o) {
        const auto block = group.rank() == dst ? block_for(group, tensor) : at::empty({0}, tensor.options());
        const auto gathered = o.device
                                  ? o.device->gather(o.data, block.data_ptr(), o.count, o.type, dst, o.stream, timeout)
                                  : group.gather_into(o.bytes(), bytes_of(block), dst, timeout);
        return gathered.map([&] { return group.rank() == dst ? block.unbind() : std::vector<at::Tensor>(); });
    });
}

Result<std::vector<at::Tensor>> all_gather(ProcessGroup& group, const at::Tensor& tensor, Timeout timeout)
{
    return operand_of("all_gather", group, tensor).and_then([&](const TensorOperand& o) {
        const auto block = block_for(group, tensor);
        const auto gathered = o.device
                                  ? o.device->all_gather(o.data, block.data_ptr(), o.count, o.type, o.stream, timeout)
                                  : group.all_gather_into(o.bytes(), bytes_of(block), timeout);
        return gathered.map([&] { return block.unbind(); });
    });
}

Result<void> scatter(ProcessGroup& group, at::Tensor& tensor, const std::vector<at::Tensor>& inputs, std::uint32_t src,
                     Timeout timeout)
{
    const auto o = operand_of("scatter", group, tensor);
    if (!o) {
        return tl::unexpected(o.error());
    }
    const auto block = group.rank() == src ? block_of(group, tensor, inputs) : at::empty({0}, tensor.options());
    if (!block) {
        return tl::unexpected(block.error());
    }
    return o->device ? o->device->scatter(block->data_ptr(), o->data, o->count, o->type, src, o->stream, timeout)
                     : group.scatter_into(bytes_of(*block), o->bytes(), src, timeout);
}

Result<void> send(ProcessGroup& group, const at::Tensor& tensor, std::uint32_t dst, std::uint32_t tag, Timeout timeout)
{
    return operand_of("send", group, tensor).and_then([&](const TensorOperand& o) {
        return find_tag_fault("send", o, tag).and_then([&] {
            return o.device ? o.device->send(o.data, o.count, o.type, dst, o.stream, timeout)
                            : group.send(o.bytes(), dst, tag, timeout);
        });
    });
}

Result<void> recv(ProcessGroup& group, at::Tensor& tensor, std::uint32_t src, std::uint32_t tag, Timeout timeout)
{
    return operand_of("recv", group, tensor).and_then([&](const TensorOperand& o) {
        return find_tag_fault("recv", o, tag).and_then([&] {
            return o.device ? o.device->recv(o.data, o.count, o.type, src, o.stream, timeout)
                            : group.recv_into(o.bytes(), src, tag, timeout);
        });
    });
}

} // namespace sdfleet::collective
