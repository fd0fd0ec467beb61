// SPDX-License-Identifier: Apache-2.0
#include "collective/nccl_device_collectives.hpp"

#include "collective/core/reduction.hpp"
#include "collective/nccl_invitation.hpp"

#include <mutex>
#include <utility>

namespace sdfleet::collective {

namespace {

using std::chrono::milliseconds;

/// A call on `count` elements of each rank. Their size is right only of counts and types that find_fault() lets pass.
Operation operation_on(OperationKind kind, std::size_t count, ElementType type, std::uint32_t root = 0)
{
    Operation operation;
    operation.kind = kind;
    operation.type = type;
    operation.root = root;
    operation.whole_bytes = type <= ElementType::float64 ? count * size_of(type) : 0;
    return operation;
}

} // namespace

NcclDeviceCollectives::NcclDeviceCollectives(ProcessGroup::Impl& group, int device)
    : group_(group), device_("cuda:" + std::to_string(device))
{
    current_.kind = OperationKind::backend_setup;
}

NcclDeviceCollectives::~NcclDeviceCollectives()
{
    if (nccl_ && group_.mesh.look()) {
        nccl_->abort(); // the others end, too: there is no good order to leave in
    }
}

Result<std::unique_ptr<DeviceCollectives>> NcclDeviceCollectives::create(ProcessGroup::Impl& group,
                                                                         const NcclPlugin& plugin,
                                                                         const NcclOptions& options, Deadline deadline)
{
    auto made = std::make_unique<NcclDeviceCollectives>(group, options.device.value_or(0));
    const auto& self = group.mesh.self();
    const NcclMembership membership{self.group, self.epoch, self.rank.value, self.world_size};
    auto nccl = NcclCollectives::create(plugin, membership, options, made->hooks(), deadline.left());
    // The first operation is when NCCL connects: better now than when there is something to lose.
    auto ready = nccl ? nccl->barrier(deadline.left()) : tl::unexpected(nccl.error());
    if (!ready) {
        group.mesh.set_failure(made->current_, ready.error().cause, ready.error().message);
        return tl::unexpected(
            group.mesh.look().value_or(ready.error())); // not Aborted, though a broadcast may have failed
    }
    made->nccl_.emplace(std::move(*nccl));
    return made;
}

/// What they do runs in the calling thread, inside the calls of NcclCollectives.
NcclHooks NcclDeviceCollectives::hooks()
{
    const auto broadcast = [this](Bytes& bytes, milliseconds timeout) -> Result<void> {
        bytes.resize(encode(NcclInvitation{}).size());
        return run_broadcast(group_.begin(current_, timeout), bytes, IntoBuffer{bytes});
    };
    const auto tell = [this](const Error& error) { group_.mesh.set_failure(current_, error.cause, error.message); };
    return {broadcast, [this] { return group_.mesh.look(); }, tell};
}

/// Why a call cannot work, whatever the others do. `has_memory`: no pointer that it needs is null.
std::optional<Error> NcclDeviceCollectives::find_fault(const Operation& operation, std::size_t count,
                                                       bool has_memory) const
{
    const auto size = group_.mesh.self().world_size;
    const auto invalid = [&](const std::string& why) { return group_.mesh.invalid(operation.kind, why); };
    if (operation.type > ElementType::float64 || operation.reduce > ReduceOp::avg) {
        return invalid("unknown element type or reduction");
    }
    if (operation.root >= size) {
        return invalid("rank " + std::to_string(operation.root) + " in a world of " + std::to_string(size));
    }
    if (count > max_payload_bytes / size_of(operation.type) / size) {
        return invalid(std::to_string(count) + " elements of each rank are too many");
    }
    if (count > 0 && !has_memory) {
        return invalid("a null pointer");
    }
    if (operation.reduce == ReduceOp::avg && !is_floating(operation.type)) {
        return invalid("avg is for floating types; take sum");
    }
    return std::nullopt;
}

std::optional<Error> NcclDeviceCollectives::find_peer_fault(const Operation& operation, std::uint32_t peer) const
{
    const auto& self = group_.mesh.self();
    if (peer == self.rank.value) {
        return group_.mesh.invalid(operation.kind, "a rank has nothing to send to itself");
    }
    if (peer >= self.world_size) {
        return group_.mesh.invalid(operation.kind, "rank " + std::to_string(peer) + " in a world of " +
                                                       std::to_string(self.world_size));
    }
    return std::nullopt;
}

/// Agrees with the others, or with `peer` alone, and then lets NCCL work.
Result<void> NcclDeviceCollectives::run(Operation operation, DeviceStream stream, const Timeout& timeout,
                                        const Move& move, std::optional<Rank> peer)
{
    const auto call = group_.begin(operation, timeout);
    current_ = call.operation;
    if (auto agreed = peer ? run_agreement_with(call, *peer) : run_agreement(call); !agreed) {
        nccl_->abort();
        return agreed;
    }
    if (operation.whole_bytes == 0 && operation.kind != OperationKind::device_barrier) {
        return {};
    }
    nccl_->after_stream(stream.handle);
    auto moved = move(*nccl_, call.deadline.left());
    if (moved) {
        return moved;
    }
    auto cause = moved.error().cause;
    if (std::holds_alternative<InvalidArgument>(cause)) {
        cause = Aborted{}; // NCCL refuses what the others have begun
    }
    auto failure = group_.mesh.fail(call.operation, cause, moved.error().message);
    nccl_->abort();
    return failure;
}

Result<void> NcclDeviceCollectives::barrier(DeviceStream stream, Timeout timeout)
{
    const std::lock_guard lock(group_.mutex);
    return run(operation_on(OperationKind::device_barrier, 0, ElementType::uint8), stream, timeout,
               [](NcclCollectives& nccl, milliseconds left) { return nccl.barrier(left); });
}

Result<void> NcclDeviceCollectives::broadcast(void* buffer, std::size_t count, ElementType type, std::uint32_t root,
                                              DeviceStream stream, Timeout timeout)
{
    const std::lock_guard lock(group_.mutex);
    const auto operation = operation_on(OperationKind::device_broadcast, count, type, root);
    if (auto fault = find_fault(operation, count, buffer != nullptr)) {
        return tl::unexpected(std::move(*fault));
    }
    return run(operation, stream, timeout, [&](NcclCollectives& nccl, milliseconds left) {
        return nccl.broadcast({buffer, operation.whole_bytes}, root, left);
    });
}

Result<void> NcclDeviceCollectives::all_reduce(void* buffer, std::size_t count, ElementType type, ReduceOp op,
                                               DeviceStream stream, Timeout timeout)
{
    const std::lock_guard lock(group_.mutex);
    auto operation = operation_on(OperationKind::device_all_reduce, count, type);
    operation.reduce = op;
    if (auto fault = find_fault(operation, count, buffer != nullptr)) {
        return tl::unexpected(std::move(*fault));
    }
    return run(operation, stream, timeout, [&](NcclCollectives& nccl, milliseconds left) {
        return nccl.all_reduce({buffer, operation.whole_bytes}, type, op, left);
    });
}

Result<void> NcclDeviceCollectives::gather(const void* input, void* output, std::size_t count, ElementType type,
                                           std::uint32_t root, DeviceStream stream, Timeout timeout)
{
    const std::lock_guard lock(group_.mutex);
    const auto& self = group_.mesh.self();
    const auto operation = operation_on(OperationKind::device_gather, count, type, root);
    const bool is_root = root == self.rank.value;
    if (auto fault = find_fault(operation, count, input != nullptr && (!is_root || output != nullptr))) {
        return tl::unexpected(std::move(*fault));
    }
    return run(operation, stream, timeout, [&](NcclCollectives& nccl, milliseconds left) {
        const std::size_t whole = is_root ? operation.whole_bytes * self.world_size : 0;
        return nccl.gather({input, operation.whole_bytes}, {output, whole}, root, left);
    });
}

Result<void> NcclDeviceCollectives::all_gather(const void* input, void* output, std::size_t count, ElementType type,
                                               DeviceStream stream, Timeout timeout)
{
    const std::lock_guard lock(group_.mutex);
    const auto operation = operation_on(OperationKind::device_all_gather, count, type);
    if (auto fault = find_fault(operation, count, input != nullptr && output != nullptr)) {
        return tl::unexpected(std::move(*fault));
    }
    return run(operation, stream, timeout, [&](NcclCollectives& nccl, milliseconds left) {
        return nccl.all_gather({input, operation.whole_bytes},
                               {output, operation.whole_bytes * group_.mesh.self().world_size}, left);
    });
}

Result<void> NcclDeviceCollectives::scatter(const void* input, void* output, std::size_t count, ElementType type,
                                            std::uint32_t root, DeviceStream stream, Timeout timeout)
{
    const std::lock_guard lock(group_.mutex);
    const auto& self = group_.mesh.self();
    const auto operation = operation_on(OperationKind::device_scatter, count, type, root);
    const bool is_root = root == self.rank.value;
    if (auto fault = find_fault(operation, count, output != nullptr && (!is_root || input != nullptr))) {
        return tl::unexpected(std::move(*fault));
    }
    return run(operation, stream, timeout, [&](NcclCollectives& nccl, milliseconds left) {
        const std::size_t whole = is_root ? operation.whole_bytes * self.world_size : 0;
        return nccl.scatter({input, whole}, {output, operation.whole_bytes}, root, left);
    });
}

Result<void> NcclDeviceCollectives::send(const void* buffer, std::size_t count, ElementType type, std::uint32_t to,
                                         DeviceStream stream, Timeout timeout)
{
    const std::lock_guard lock(group_.mutex);
    const auto operation = operation_on(OperationKind::device_message, count, type, group_.mesh.self().rank.value);
    auto fault = find_peer_fault(operation, to);
    if (!fault) {
        fault = find_fault(operation, count, buffer != nullptr);
    }
    if (fault) {
        return tl::unexpected(std::move(*fault));
    }
    return run(
        operation, stream, timeout,
        [&](NcclCollectives& nccl, milliseconds left) {
            return nccl.send({buffer, operation.whole_bytes}, to, left);
        },
        Rank{to});
}

Result<void> NcclDeviceCollectives::recv(void* buffer, std::size_t count, ElementType type, std::uint32_t from,
                                         DeviceStream stream, Timeout timeout)
{
    const std::lock_guard lock(group_.mutex);
    const auto operation = operation_on(OperationKind::device_message, count, type, from);
    auto fault = find_peer_fault(operation, from);
    if (!fault) {
        fault = find_fault(operation, count, buffer != nullptr);
    }
    if (fault) {
        return tl::unexpected(std::move(*fault));
    }
    return run(
        operation, stream, timeout,
        [&](NcclCollectives& nccl, milliseconds left) {
            return nccl.recv({buffer, operation.whole_bytes}, from, left);
        },
        Rank{from});
}

/// An operation under way sees it when it looks at the mesh.
void NcclDeviceCollectives::abort(const std::string& reason)
{
    group_.mesh.abort(reason);
}

} // namespace sdfleet::collective
