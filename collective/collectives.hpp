// SPDX-License-Identifier: Apache-2.0
// The algorithms of the operations, on a mesh. All ranks call the same function with equal operations; arguments are in
// range. Memory that is passed in must stay until the function returns.
#pragma once

#include "collective/mesh.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace sdfleet::collective {

/// One operation under way.
struct Call {
    Mesh& mesh;
    Operation operation;
    Deadline deadline;

    std::uint32_t rank() const { return mesh.self().rank.value; }
    std::uint32_t world_size() const { return mesh.self().world_size; }
};

/// Up a tree and down again.
Result<void> run_barrier(const Call& call);

/// `own` of root, into `sink` everywhere else, down a tree.
Result<void> run_broadcast(const Call& call, std::span<const std::byte> own, Sink sink);

/// Every rank's `own` into root's `sinks`, by rank; root's own entry is not used.
Result<void> run_gather(const Call& call, std::span<const std::byte> own, std::span<const Sink> sinks);

/// Everybody to everybody at once; a rank's own entry is not used.
Result<void> run_all_gather(const Call& call, std::span<const std::byte> own, std::span<const Sink> sinks);

/// Root's `parts`, by rank, into the others' `sink`.
Result<void> run_scatter(const Call& call, std::span<const std::span<const std::byte>> parts, Sink sink);

/// In place; equal to the bit on all ranks, and from run to run.
Result<void> run_all_reduce(const Call& call, std::span<std::byte> elements);

/// Every rank's empty word to all others: returns once all are known to call this operation.
Result<void> run_agreement(const Call& call);

/// The same between this rank and `other` alone.
Result<void> run_agreement_with(const Call& call, Rank other);

Result<void> run_send(const Call& call, std::span<const std::byte> bytes, Rank to);
Result<void> run_recv(const Call& call, Rank from, Sink sink);

} // namespace sdfleet::collective
