// SPDX-License-Identifier: Apache-2.0
#include "collective/process_group.hpp"

#include "collective/collectives.hpp"
#include "collective/core/reduction.hpp"
#include "collective/process_group_impl.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace sdfleet::collective {

namespace {

using Impl = ProcessGroup::Impl;

Operation rooted(OperationKind kind, std::uint32_t root, std::size_t whole_bytes = 0)
{
    Operation operation;
    operation.kind = kind;
    operation.root = root;
    operation.whole_bytes = whole_bytes;
    return operation;
}

std::optional<Error> find_root_fault(const Impl& impl, OperationKind kind, std::uint32_t root)
{
    const auto size = impl.mesh.self().world_size;
    if (root < size) {
        return std::nullopt;
    }
    return impl.mesh.invalid(kind, "rank " + std::to_string(root) + " in a world of " + std::to_string(size));
}

std::optional<Error> find_peer_fault(const Impl& impl, std::uint32_t peer)
{
    if (peer == impl.mesh.self().rank.value) {
        return impl.mesh.invalid(OperationKind::message, "a rank has nothing to send to itself");
    }
    return find_root_fault(impl, OperationKind::message, peer);
}

/// Of the side that has all parts: `whole` must be world_size times `part`.
std::optional<Error> find_whole_fault(const Impl& impl, OperationKind kind, std::size_t whole, std::size_t part)
{
    const auto expected = part * impl.mesh.self().world_size;
    if (whole == expected) {
        return std::nullopt;
    }
    return impl.mesh.invalid(kind, "the buffer for all ranks has " + std::to_string(whole) + " bytes, and needs " +
                                       std::to_string(expected));
}

std::vector<Sink> sinks_of(std::vector<Bytes>& all)
{
    std::vector<Sink> sinks;
    for (auto& bytes : all) {
        sinks.emplace_back(IntoBytes{&bytes});
    }
    return sinks;
}

/// `whole` cut into one part for each rank.
std::vector<std::span<std::byte>> parts_of(std::span<std::byte> whole, std::size_t world_size)
{
    const auto size = whole.size() / world_size;
    std::vector<std::span<std::byte>> parts;
    for (std::size_t rank = 0; rank < world_size; ++rank) {
        parts.push_back(whole.subspan(rank * size, size));
    }
    return parts;
}

std::vector<Sink> sinks_of(const std::vector<std::span<std::byte>>& parts)
{
    std::vector<Sink> sinks;
    for (const auto part : parts) {
        sinks.emplace_back(IntoBuffer{part});
    }
    return sinks;
}

/// A part that stays on its rank; it may be where it belongs already.
void keep(std::span<std::byte> to, std::span<const std::byte> from)
{
    if (!from.empty() && to.data() != from.data()) {
        std::memmove(to.data(), from.data(), from.size());
    }
}

} // namespace

ProcessGroup::ProcessGroup(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ProcessGroup::ProcessGroup(ProcessGroup&&) noexcept = default;
ProcessGroup& ProcessGroup::operator=(ProcessGroup&&) noexcept = default;
ProcessGroup::~ProcessGroup() = default;

std::uint32_t ProcessGroup::rank() const
{
    return impl_->mesh.self().rank.value;
}

std::uint32_t ProcessGroup::world_size() const
{
    return impl_->mesh.self().world_size;
}

Epoch ProcessGroup::epoch() const
{
    return impl_->mesh.self().epoch;
}

Backend ProcessGroup::backend() const
{
    return impl_->backend;
}

const std::string& ProcessGroup::name() const
{
    return impl_->mesh.self().group;
}

Result<void> ProcessGroup::barrier(Timeout timeout)
{
    const std::lock_guard lock(impl_->mutex);
    return run_barrier(impl_->begin(rooted(OperationKind::barrier, 0), timeout));
}

Result<void> ProcessGroup::broadcast(Bytes& bytes, std::uint32_t root, Timeout timeout)
{
    const std::lock_guard lock(impl_->mutex);
    if (auto fault = find_root_fault(*impl_, OperationKind::broadcast, root)) {
        return tl::unexpected(std::move(*fault));
    }
    return run_broadcast(impl_->begin(rooted(OperationKind::broadcast, root), timeout), bytes, IntoBytes{&bytes});
}

Result<std::vector<Bytes>> ProcessGroup::gather(std::span<const std::byte> bytes, std::uint32_t root, Timeout timeout)
{
    const std::lock_guard lock(impl_->mutex);
    if (auto fault = find_root_fault(*impl_, OperationKind::gather, root)) {
        return tl::unexpected(std::move(*fault));
    }
    std::vector<Bytes> all(root == rank() ? world_size() : 0);
    const auto sinks = sinks_of(all);
    if (auto done = run_gather(impl_->begin(rooted(OperationKind::gather, root), timeout), bytes, sinks); !done) {
        return tl::unexpected(std::move(done.error()));
    }
    if (root == rank()) {
        all[root].assign(bytes.begin(), bytes.end());
    }
    return all;
}

Result<std::vector<Bytes>> ProcessGroup::all_gather(std::span<const std::byte> bytes, Timeout timeout)
{
    const std::lock_guard lock(impl_->mutex);
    std::vector<Bytes> all(world_size());
    const auto sinks = sinks_of(all);
    if (auto done = run_all_gather(impl_->begin(rooted(OperationKind::all_gather, 0), timeout), bytes, sinks); !done) {
        return tl::unexpected(std::move(done.error()));
    }
    all[rank()].assign(bytes.begin(), bytes.end());
    return all;
}

Result<Bytes> ProcessGroup::scatter(const std::vector<Bytes>& parts, std::uint32_t root, Timeout timeout)
{
    const std::lock_guard lock(impl_->mutex);
    auto fault = find_root_fault(*impl_, OperationKind::scatter, root);
    if (!fault && root == rank() && parts.size() != world_size()) {
        fault = impl_->mesh.invalid(OperationKind::scatter, std::to_string(parts.size()) + " parts for a world of " +
                                                                std::to_string(world_size()));
    }
    if (fault) {
        return tl::unexpected(std::move(*fault));
    }
    Bytes own;
    const std::vector<std::span<const std::byte>> spans(parts.begin(), parts.end());
    if (auto done = run_scatter(impl_->begin(rooted(OperationKind::scatter, root), timeout), spans, IntoBytes{&own});
        !done) {
        return tl::unexpected(std::move(done.error()));
    }
    return root == rank() ? parts[root] : own;
}

Result<void> ProcessGroup::send(std::span<const std::byte> bytes, std::uint32_t to, std::uint32_t tag, Timeout timeout)
{
    const std::lock_guard lock(impl_->mutex);
    if (auto fault = find_peer_fault(*impl_, to)) {
        return tl::unexpected(std::move(*fault));
    }
    return run_send(impl_->begin(rooted(OperationKind::message, tag), timeout), bytes, {to});
}

Result<Bytes> ProcessGroup::recv(std::uint32_t from, std::uint32_t tag, Timeout timeout)
{
    const std::lock_guard lock(impl_->mutex);
    if (auto fault = find_peer_fault(*impl_, from)) {
        return tl::unexpected(std::move(*fault));
    }
    Bytes bytes;
    if (auto done = run_recv(impl_->begin(rooted(OperationKind::message, tag), timeout), {from}, IntoBytes{&bytes});
        !done) {
        return tl::unexpected(std::move(done.error()));
    }
    return bytes;
}

Result<void> ProcessGroup::all_reduce(std::span<std::byte> elements, ElementType type, ReduceOp op, Timeout timeout)
{
    const std::lock_guard lock(impl_->mutex);
    if (elements.size() % size_of(type) != 0) {
        return tl::unexpected(impl_->mesh.invalid(
            OperationKind::all_reduce, std::to_string(elements.size()) + " bytes are no whole number of elements"));
    }
    if (op == ReduceOp::avg && !is_floating(type)) {
        return tl::unexpected(impl_->mesh.invalid(OperationKind::all_reduce, "avg is for floating types; take sum"));
    }
    auto operation = rooted(OperationKind::all_reduce, 0, elements.size());
    operation.type = type;
    operation.reduce = op;
    return run_all_reduce(impl_->begin(operation, timeout), elements);
}

Result<void> ProcessGroup::broadcast_into(std::span<std::byte> buffer, std::uint32_t root, Timeout timeout)
{
    const std::lock_guard lock(impl_->mutex);
    if (auto fault = find_root_fault(*impl_, OperationKind::broadcast_into, root)) {
        return tl::unexpected(std::move(*fault));
    }
    const auto operation = rooted(OperationKind::broadcast_into, root, buffer.size());
    return run_broadcast(impl_->begin(operation, timeout), buffer, IntoBuffer{buffer});
}

Result<void> ProcessGroup::gather_into(std::span<const std::byte> input, std::span<std::byte> output,
                                       std::uint32_t root, Timeout timeout)
{
    const std::lock_guard lock(impl_->mutex);
    auto fault = find_root_fault(*impl_, OperationKind::gather_into, root);
    if (!fault && root == rank()) {
        fault = find_whole_fault(*impl_, OperationKind::gather_into, output.size(), input.size());
    }
    if (fault) {
        return tl::unexpected(std::move(*fault));
    }
    const auto parts = parts_of(root == rank() ? output : std::span<std::byte>(), world_size());
    const auto operation = rooted(OperationKind::gather_into, root, input.size());
    auto done = run_gather(impl_->begin(operation, timeout), input, sinks_of(parts));
    if (done && root == rank()) {
        keep(parts[root], input);
    }
    return done;
}

Result<void> ProcessGroup::all_gather_into(std::span<const std::byte> input, std::span<std::byte> output,
                                           Timeout timeout)
{
    const std::lock_guard lock(impl_->mutex);
    if (auto fault = find_whole_fault(*impl_, OperationKind::all_gather_into, output.size(), input.size())) {
        return tl::unexpected(std::move(*fault));
    }
    const auto parts = parts_of(output, world_size());
    const auto operation = rooted(OperationKind::all_gather_into, 0, input.size());
    auto done = run_all_gather(impl_->begin(operation, timeout), input, sinks_of(parts));
    if (done) {
        keep(parts[rank()], input);
    }
    return done;
}

Result<void> ProcessGroup::scatter_into(std::span<const std::byte> input, std::span<std::byte> output,
                                        std::uint32_t root, Timeout timeout)
{
    const std::lock_guard lock(impl_->mutex);
    auto fault = find_root_fault(*impl_, OperationKind::scatter_into, root);
    if (!fault && root == rank()) {
        fault = find_whole_fault(*impl_, OperationKind::scatter_into, input.size(), output.size());
    }
    if (fault) {
        return tl::unexpected(std::move(*fault));
    }
    std::vector<std::span<const std::byte>> parts;
    for (std::uint32_t each = 0; root == rank() && each < world_size(); ++each) {
        parts.push_back(input.subspan(each * output.size(), output.size()));
    }
    const auto operation = rooted(OperationKind::scatter_into, root, output.size());
    auto done = run_scatter(impl_->begin(operation, timeout), parts, IntoBuffer{output});
    if (done && root == rank()) {
        keep(output, parts[root]);
    }
    return done;
}

Result<void> ProcessGroup::recv_into(std::span<std::byte> buffer, std::uint32_t from, std::uint32_t tag,
                                     Timeout timeout)
{
    const std::lock_guard lock(impl_->mutex);
    if (auto fault = find_peer_fault(*impl_, from)) {
        return tl::unexpected(std::move(*fault));
    }
    return run_recv(impl_->begin(rooted(OperationKind::message, tag), timeout), {from}, IntoBuffer{buffer});
}

void ProcessGroup::abort(const std::string& reason)
{
    if (impl_->device) {
        impl_->device->abort(reason);
    }
    impl_->mesh.abort(reason);
    const std::lock_guard lock(impl_->mutex); // an operation under way ends now, and tells the others
    impl_->mesh.tell_others();
}

} // namespace sdfleet::collective
