// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/element_type.hpp"
#include "collective/error.hpp"
#include "collective/options.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace sdfleet::collective {

using Bytes = std::vector<std::byte>;

/// The deadline of one operation; without one InitOptions::timeout holds.
using Timeout = std::optional<std::chrono::milliseconds>;

/// A fixed set of ranks that act together, as torch.distributed's. All members call the same operations in the same
/// order. An operation ends on every survivor: with its result, or with an error by its deadline and 1 s at most, whatever
/// dies meanwhile. The first error but InvalidArgument ends the group's epoch on all members (see Error); to go on, make a
/// new group with the next epoch. Not thread-safe; abort() alone may be called from any thread. Leaves the group when it
/// goes.
///
/// Tensors: see tensor_group.hpp. The byte operations here carry unequal lengths, empty ones included.
class ProcessGroup {
public:
    ProcessGroup(ProcessGroup&&) noexcept;
    ProcessGroup& operator=(ProcessGroup&&) noexcept;
    ~ProcessGroup();

    std::uint32_t rank() const;
    std::uint32_t world_size() const;
    Epoch epoch() const;
    Backend backend() const;
    const std::string& name() const;

    /// Returns once every rank has come here.
    Result<void> barrier(Timeout timeout = {});

    /// `bytes` of root becomes that of all.
    Result<void> broadcast(Bytes& bytes, std::uint32_t root, Timeout timeout = {});

    /// At root: what each rank gave, by rank. Elsewhere: empty.
    Result<std::vector<Bytes>> gather(std::span<const std::byte> bytes, std::uint32_t root, Timeout timeout = {});

    /// What each rank gave, by rank.
    Result<std::vector<Bytes>> all_gather(std::span<const std::byte> bytes, Timeout timeout = {});

    /// `parts` counts at root alone, where it has world_size elements; rank r gets parts[r].
    Result<Bytes> scatter(const std::vector<Bytes>& parts, std::uint32_t root, Timeout timeout = {});

    /// Returns when the bytes are on their way, not when they were received.
    Result<void> send(std::span<const std::byte> bytes, std::uint32_t to, std::uint32_t tag = 0, Timeout timeout = {});
    Result<Bytes> recv(std::uint32_t from, std::uint32_t tag = 0, Timeout timeout = {});

    // The same on buffers of known size, in CPU memory: what tensors use. Sizes must be equal on all ranks (SizeMismatch).
    /// In place; the result is the same to the bit on all ranks.
    Result<void> all_reduce(std::span<std::byte> elements, ElementType type, ReduceOp op, Timeout timeout = {});
    Result<void> broadcast_into(std::span<std::byte> buffer, std::uint32_t root, Timeout timeout = {});
    /// `output` counts at root alone: world_size times input's size, by rank.
    Result<void> gather_into(std::span<const std::byte> input, std::span<std::byte> output, std::uint32_t root,
                             Timeout timeout = {});
    Result<void> all_gather_into(std::span<const std::byte> input, std::span<std::byte> output, Timeout timeout = {});
    /// `input` counts at root alone: world_size times output's size.
    Result<void> scatter_into(std::span<const std::byte> input, std::span<std::byte> output, std::uint32_t root,
                              Timeout timeout = {});
    Result<void> recv_into(std::span<std::byte> buffer, std::uint32_t from, std::uint32_t tag = 0,
                           Timeout timeout = {});

    /// Ends the epoch on every member: operations under way and later ones give Aborted. Thread-safe; a second call does
    /// nothing.
    void abort(const std::string& reason);

    /// Internal to collective/: what the ranks' connections are made of.
    struct Impl;
    explicit ProcessGroup(std::unique_ptr<Impl> impl);
    Impl& impl() { return *impl_; }

private:
    std::unique_ptr<Impl> impl_;
};

/// Joins `world_size` ranks to a group; blocks until all are there or the timeout has come.
Result<ProcessGroup> init_process_group(Backend backend, std::uint32_t rank, std::uint32_t world_size,
                                        const std::variant<ViaAgent, ViaMaster>& rendezvous,
                                        const InitOptions& options = {});

/// The same with what the environment says; a group of one where it says nothing. The epoch is the environment's.
Result<ProcessGroup> init_process_group(Backend backend, const InitOptions& options = {});

/// Reads the environment. Fails (InvalidArgument) when it contradicts itself: a rank without a world size, a number that
/// is none.
Result<RankEnvironment> read_rank_environment();

} // namespace sdfleet::collective
