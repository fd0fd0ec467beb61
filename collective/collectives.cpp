// SPDX-License-Identifier: Apache-2.0
#include "collective/collectives.hpp"

#include "collective/core/reduction.hpp"
#include "collective/core/topology.hpp"

namespace sdfleet::collective {

namespace {

/// Up to this size one rank reduces for all; above, each reduces its share.
constexpr std::size_t ring_from_bytes = 128u << 10;

using Until = Mesh::Until;

Result<void> exchange(const Call& call, std::vector<Outgoing> outgoing, std::vector<Incoming> incoming,
                      Until until = Until::memory_free)
{
    return call.mesh.run(call.operation, outgoing, incoming, until, call.deadline);
}

std::vector<Outgoing> to_each(const std::vector<Rank>& ranks, std::span<const std::byte> bytes)
{
    std::vector<Outgoing> outgoing;
    for (const auto rank : ranks) {
        outgoing.push_back({rank, bytes});
    }
    return outgoing;
}

std::vector<Incoming> from_all_others(const Call& call, std::span<const Sink> sinks)
{
    std::vector<Incoming> incoming;
    for (std::uint32_t rank = 0; rank < call.world_size(); ++rank) {
        if (rank != call.rank()) {
            incoming.push_back({{rank}, sinks[rank]});
        }
    }
    return incoming;
}

std::vector<Rank> all_others(const Call& call)
{
    std::vector<Rank> others;
    for (std::uint32_t rank = 0; rank < call.world_size(); ++rank) {
        if (rank != call.rank()) {
            others.push_back({rank});
        }
    }
    return others;
}

std::span<const std::byte> content_of(const Sink& sink)
{
    const auto* bytes = std::get_if<IntoBytes>(&sink);
    return bytes != nullptr ? std::span<const std::byte>(*bytes->bytes) : std::get<IntoBuffer>(sink).buffer;
}

Result<void> reduce_at_rank_0(const Call& call, std::span<std::byte> elements)
{
    const auto& operation = call.operation;
    std::vector<Bytes> others(call.rank() == 0 ? call.world_size() : 0);
    std::vector<Sink> sinks;
    for (auto& other : others) {
        other.resize(elements.size());
        sinks.emplace_back(IntoBuffer{other});
    }
    if (auto gathered = run_gather(call, elements, sinks); !gathered) {
        return gathered;
    }
    if (call.rank() == 0) { // in the order of the ranks, so that the result does not depend on who was quicker
        for (std::uint32_t rank = 1; rank < call.world_size(); ++rank) {
            reduce_into(elements, others[rank], operation.type, operation.reduce);
        }
        if (operation.reduce == ReduceOp::avg) {
            divide(elements, operation.type, call.world_size());
        }
    }
    return run_broadcast(call, elements, IntoBuffer{elements});
}

/// Every rank owns a share. Round by round each passes a partial sum of one share to the next rank, until the owner has the
/// whole sum; then the finished shares go round.
Result<void> reduce_in_ring(const Call& call, std::span<std::byte> elements)
{
    const auto& operation = call.operation;
    const auto size = call.world_size();
    const auto element = size_of(operation.type);
    const auto count = elements.size() / element;
    const auto share = [&](std::uint32_t index) {
        const auto begin = count * (index % size) / size;
        const auto end = count * (index % size + 1) / size;
        return elements.subspan(begin * element, (end - begin) * element);
    };
    const Rank next{(call.rank() + 1) % size};
    const Rank previous{(call.rank() + size - 1) % size};
    for (std::uint32_t round = 0; round + 1 < size; ++round) {
        const auto outgoing = share(call.rank() + size - round);
        const IntoReduction into{share(call.rank() + 2 * size - round - 1), operation.type, operation.reduce};
        if (auto done = exchange(call, {{next, outgoing}}, {{previous, into}}, Until::on_its_way); !done) {
            return done;
        }
    }
    if (operation.reduce == ReduceOp::avg) {
        divide(share(call.rank() + 1), operation.type, size);
    }
    for (std::uint32_t round = 0; round + 1 < size; ++round) {
        const auto outgoing = share(call.rank() + 1 + size - round);
        const IntoBuffer into{share(call.rank() + size - round)};
        const auto until = round + 2 == size ? Until::memory_free : Until::on_its_way;
        if (auto done = exchange(call, {{next, outgoing}}, {{previous, into}}, until); !done) {
            return done;
        }
    }
    return {};
}

} // namespace

Result<void> run_barrier(const Call& call)
{
    const auto tree = gathering_tree(call.rank(), 0, call.world_size());
    std::vector<Incoming> from_children;
    for (const auto child : tree.children) {
        from_children.push_back({child, IntoBuffer{}});
    }
    auto done = exchange(call, {}, std::move(from_children));
    if (done && tree.parent) {
        done = exchange(call, {{*tree.parent, {}}}, {{*tree.parent, IntoBuffer{}}});
    }
    return done ? exchange(call, to_each(tree.children, {}), {}) : done;
}

Result<void> run_broadcast(const Call& call, std::span<const std::byte> own, Sink sink)
{
    const auto tree = spreading_tree(call.rank(), call.operation.root, call.world_size());
    if (tree.parent) {
        if (auto received = exchange(call, {}, {{*tree.parent, sink}}); !received) {
            return received;
        }
        own = content_of(sink);
    }
    return exchange(call, to_each(tree.children, own), {});
}

Result<void> run_gather(const Call& call, std::span<const std::byte> own, std::span<const Sink> sinks)
{
    if (call.rank() == call.operation.root) {
        return exchange(call, {}, from_all_others(call, sinks));
    }
    return exchange(call, {{{call.operation.root}, own}}, {});
}

Result<void> run_all_gather(const Call& call, std::span<const std::byte> own, std::span<const Sink> sinks)
{
    return exchange(call, to_each(all_others(call), own), from_all_others(call, sinks));
}

Result<void> run_scatter(const Call& call, std::span<const std::span<const std::byte>> parts, Sink sink)
{
    if (call.rank() != call.operation.root) {
        return exchange(call, {}, {{{call.operation.root}, sink}});
    }
    std::vector<Outgoing> outgoing;
    for (const auto rank : all_others(call)) {
        outgoing.push_back({rank, parts[rank.value]});
    }
    return exchange(call, std::move(outgoing), {});
}

Result<void> run_all_reduce(const Call& call, std::span<std::byte> elements)
{
    if (call.world_size() == 1) {
        return exchange(call, {}, {});
    }
    return elements.size() < ring_from_bytes ? reduce_at_rank_0(call, elements) : reduce_in_ring(call, elements);
}

Result<void> run_agreement(const Call& call)
{
    const std::vector<Sink> nothing(call.world_size(), IntoBuffer{});
    return run_all_gather(call, {}, nothing);
}

Result<void> run_agreement_with(const Call& call, Rank other)
{
    return exchange(call, {{other, {}}}, {{other, IntoBuffer{}}});
}

Result<void> run_send(const Call& call, std::span<const std::byte> bytes, Rank to)
{
    return exchange(call, {{to, bytes}}, {});
}

Result<void> run_recv(const Call& call, Rank from, Sink sink)
{
    return exchange(call, {}, {{from, sink}});
}

} // namespace sdfleet::collective
