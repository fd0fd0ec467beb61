// SPDX-License-Identifier: Apache-2.0
#include "collective/nccl_collectives.hpp"

#include "collective/nccl_invitation.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

namespace sdfleet::collective {

namespace {

using std::chrono::milliseconds;

std::string describe(const NcclMembership& membership, const char* operation)
{
    return std::string(operation) + " of group '" + membership.group + "' (epoch " +
           std::to_string(membership.epoch.value) + ", rank " + std::to_string(membership.rank) + " of " +
           std::to_string(membership.world_size) + "): ";
}

Result<void> configure(const NcclPlugin& plugin, const NcclOptions& options)
{
    sdfleet_nccl_text why{};
    const sdfleet_nccl_environment environment{options.network.c_str(), options.interface.c_str(),
                                               options.buffer_bytes};
    if (plugin.table().configure(&environment, &why) != SDFLEET_NCCL_DONE) {
        return tl::unexpected(Error{InvalidArgument{}, why.text});
    }
    return {};
}

/// Rank 0 makes the invitation, the others get it.
Result<NcclInvitation> exchange_invitation(const NcclPlugin& plugin, const NcclMembership& membership,
                                           const NcclHooks& hooks, std::int32_t version, milliseconds timeout)
{
    NcclInvitation invitation{version, {}};
    std::vector<std::byte> bytes;
    if (membership.rank == 0) {
        sdfleet_nccl_text why{};
        if (plugin.table().unique_id(invitation.unique_id.data(), &why) != SDFLEET_NCCL_DONE) {
            return tl::unexpected(Error{BackendUnavailable{}, std::string("NCCL gives no unique id: ") + why.text});
        }
        bytes = encode(invitation);
    }
    if (membership.world_size > 1) {
        if (auto sent = hooks.broadcast_from_rank_0(bytes, timeout); !sent) {
            return tl::unexpected(sent.error());
        }
    }
    const auto received = decode_nccl_invitation(bytes);
    if (!received) {
        return tl::unexpected(Error{OperationMismatch{}, "what rank 0 sent is no NCCL invitation"});
    }
    if (received->nccl_version != version) {
        return tl::unexpected(Error{BackendUnavailable{}, "rank 0 has NCCL " + std::to_string(received->nccl_version) +
                                                              ", this rank " + std::to_string(version) +
                                                              ": all need the same"});
    }
    return *received;
}

} // namespace

struct NcclCollectives::Impl {
    NcclMembership membership;
    NcclHooks hooks;
    sdfleet_nccl_facts facts;
    NcclCommunicator communicator;
    void* stream = nullptr;
    std::string ended; ///< why; empty: it has not

    Error invalid(const char* name, const std::string& why) const
    {
        return {InvalidArgument{}, describe(membership, name) + why};
    }

    tl::unexpected<Error> end(const char* name, Error error)
    {
        hooks.tell_failure(error);
        error.message = describe(membership, name) + error.message;
        ended = error.message;
        communicator.abort();
        return tl::unexpected(std::move(error));
    }

    Result<void> run(const char* name, sdfleet_nccl_operation operation, milliseconds timeout)
    {
        const auto deadline = Deadline::in(timeout);
        if (!ended.empty()) {
            return tl::unexpected(Error{Aborted{}, describe(membership, name) + "the group ended before: " + ended});
        }
        if (auto reason = hooks.stop ? hooks.stop() : std::nullopt) {
            return end(name, std::move(*reason));
        }
        operation.after_stream = stream;
        if (auto started = communicator.start(operation); !started) {
            if (std::holds_alternative<InvalidArgument>(started.error().cause)) {
                return tl::unexpected(invalid(name, started.error().message));
            }
            return end(name, std::move(started.error()));
        }
        if (auto done = communicator.wait(deadline, hooks.stop); !done) {
            return end(name, std::move(done.error()));
        }
        return {};
    }

    /// `whole` is to hold a part of `part_bytes` for each rank.
    bool holds_all_parts(std::size_t whole_bytes, std::size_t part_bytes) const
    {
        return part_bytes <= std::numeric_limits<std::size_t>::max() / membership.world_size &&
               whole_bytes == part_bytes * membership.world_size;
    }

    std::string parts_fault(const char* whole) const
    {
        return std::string(whole) + " is not " + std::to_string(membership.world_size) + " times the part of a rank";
    }

    /// Why `rank` cannot be the other end, or "".
    std::string rank_fault(std::uint32_t rank) const
    {
        return rank < membership.world_size ? "" : "there is no rank " + std::to_string(rank);
    }
};

NcclCollectives::NcclCollectives(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
NcclCollectives::NcclCollectives(NcclCollectives&&) noexcept = default;
NcclCollectives& NcclCollectives::operator=(NcclCollectives&&) noexcept = default;
NcclCollectives::~NcclCollectives() = default;

Result<NcclCollectives> NcclCollectives::create(const NcclPlugin& plugin, const NcclMembership& membership,
                                                const NcclOptions& options, NcclHooks hooks, milliseconds timeout)
{
    const auto deadline = Deadline::in(timeout);
    const auto failed = [&](Error error) {
        hooks.tell_failure(error);
        error.message = describe(membership, "forming NCCL") + error.message;
        return tl::unexpected(std::move(error));
    };
    if (membership.rank >= membership.world_size) {
        return failed({InvalidArgument{}, "the rank is out of range"});
    }
    if (options.max_ctas < 0) {
        return failed({InvalidArgument{}, "max_ctas is negative"});
    }
    if (auto configured = configure(plugin, options); !configured) {
        return failed(std::move(configured.error()));
    }
    const int device = options.device.value_or(0);
    auto facts = plugin.probe(device);
    if (!facts) {
        return failed(std::move(facts.error()));
    }
    auto invitation = exchange_invitation(plugin, membership, hooks, facts->nccl_version, deadline.left());
    if (!invitation) {
        return failed(std::move(invitation.error()));
    }
    sdfleet_nccl_communicator_options wanted{{}, membership.rank, membership.world_size, device, options.max_ctas};
    std::ranges::copy(invitation->unique_id, wanted.unique_id);
    auto communicator = NcclCommunicator::create(plugin, wanted, {.abort = options.abort_patience});
    if (!communicator) {
        return failed(std::move(communicator.error()));
    }
    if (auto joined = communicator->wait(deadline, hooks.stop); !joined) {
        auto error = failed(std::move(joined.error()));
        communicator->abort();
        return error;
    }
    return NcclCollectives(
        std::unique_ptr<Impl>(new Impl{membership, std::move(hooks), *facts, std::move(*communicator), nullptr, {}}));
}

const sdfleet_nccl_facts& NcclCollectives::facts() const
{
    return impl_->facts;
}

void NcclCollectives::after_stream(void* stream)
{
    impl_->stream = stream;
}

void NcclCollectives::abort()
{
    if (impl_->ended.empty()) {
        impl_->ended = "abort() was called";
        impl_->communicator.abort();
    }
}

Result<void> NcclCollectives::barrier(milliseconds timeout)
{
    sdfleet_nccl_operation operation{};
    operation.kind = SDFLEET_NCCL_BARRIER;
    return impl_->run("barrier", operation, timeout);
}

Result<void> NcclCollectives::all_reduce(DeviceBuffer elements, ElementType type, ReduceOp op, milliseconds timeout)
{
    constexpr const char* name = "all_reduce";
    if (static_cast<std::size_t>(type) > static_cast<std::size_t>(ElementType::float64) ||
        static_cast<std::size_t>(op) > static_cast<std::size_t>(ReduceOp::avg)) {
        return tl::unexpected(impl_->invalid(name, "unknown element type or reduction"));
    }
    if (elements.size_bytes % size_of(type) != 0) {
        return tl::unexpected(impl_->invalid(name, "the buffer does not hold whole elements"));
    }
    if (op == ReduceOp::avg && type < ElementType::float16) {
        return tl::unexpected(impl_->invalid(name, "avg is for floating types only"));
    }
    return impl_->run(name,
                      {SDFLEET_NCCL_ALL_REDUCE, static_cast<std::int32_t>(type), static_cast<std::int32_t>(op), 0,
                       elements.data, elements.data, elements.size_bytes / size_of(type), nullptr},
                      timeout);
}

Result<void> NcclCollectives::broadcast(DeviceBuffer buffer, std::uint32_t root, milliseconds timeout)
{
    if (const auto fault = impl_->rank_fault(root); !fault.empty()) {
        return tl::unexpected(impl_->invalid("broadcast", fault));
    }
    return impl_->run("broadcast",
                      {SDFLEET_NCCL_BROADCAST, 0, 0, root, buffer.data, buffer.data, buffer.size_bytes, nullptr},
                      timeout);
}

Result<void> NcclCollectives::gather(ConstDeviceBuffer input, DeviceBuffer output, std::uint32_t root,
                                     milliseconds timeout)
{
    if (const auto fault = impl_->rank_fault(root); !fault.empty()) {
        return tl::unexpected(impl_->invalid("gather", fault));
    }
    if (root == impl_->membership.rank && !impl_->holds_all_parts(output.size_bytes, input.size_bytes)) {
        return tl::unexpected(impl_->invalid("gather", impl_->parts_fault("output")));
    }
    return impl_->run("gather", {SDFLEET_NCCL_GATHER, 0, 0, root, input.data, output.data, input.size_bytes, nullptr},
                      timeout);
}

Result<void> NcclCollectives::all_gather(ConstDeviceBuffer input, DeviceBuffer output, milliseconds timeout)
{
    if (!impl_->holds_all_parts(output.size_bytes, input.size_bytes)) {
        return tl::unexpected(impl_->invalid("all_gather", impl_->parts_fault("output")));
    }
    return impl_->run("all_gather",
                      {SDFLEET_NCCL_ALL_GATHER, 0, 0, 0, input.data, output.data, input.size_bytes, nullptr}, timeout);
}

Result<void> NcclCollectives::scatter(ConstDeviceBuffer input, DeviceBuffer output, std::uint32_t root,
                                      milliseconds timeout)
{
    if (const auto fault = impl_->rank_fault(root); !fault.empty()) {
        return tl::unexpected(impl_->invalid("scatter", fault));
    }
    if (root == impl_->membership.rank && !impl_->holds_all_parts(input.size_bytes, output.size_bytes)) {
        return tl::unexpected(impl_->invalid("scatter", impl_->parts_fault("input")));
    }
    return impl_->run("scatter",
                      {SDFLEET_NCCL_SCATTER, 0, 0, root, input.data, output.data, output.size_bytes, nullptr}, timeout);
}

Result<void> NcclCollectives::send(ConstDeviceBuffer buffer, std::uint32_t to, milliseconds timeout)
{
    if (const auto fault = impl_->rank_fault(to); !fault.empty()) {
        return tl::unexpected(impl_->invalid("send", fault));
    }
    return impl_->run("send", {SDFLEET_NCCL_SEND, 0, 0, to, buffer.data, nullptr, buffer.size_bytes, nullptr}, timeout);
}

Result<void> NcclCollectives::recv(DeviceBuffer buffer, std::uint32_t from, milliseconds timeout)
{
    if (const auto fault = impl_->rank_fault(from); !fault.empty()) {
        return tl::unexpected(impl_->invalid("recv", fault));
    }
    return impl_->run("recv", {SDFLEET_NCCL_RECV, 0, 0, from, nullptr, buffer.data, buffer.size_bytes, nullptr},
                      timeout);
}

} // namespace sdfleet::collective
