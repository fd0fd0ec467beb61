// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/element_type.hpp"
#include "collective/error.hpp"
#include "collective/nccl_communicator.hpp"
#include "collective/nccl_plugin_loader.hpp"
#include "collective/options.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sdfleet::collective {

/// Memory on the rank's GPU. Not a span: the CPU must not touch it.
struct DeviceBuffer {
    void* data = nullptr;
    std::size_t size_bytes = 0;
};
struct ConstDeviceBuffer {
    const void* data = nullptr;
    std::size_t size_bytes = 0;

    ConstDeviceBuffer(const void* data_, std::size_t size_bytes_) : data(data_), size_bytes(size_bytes_) {}
    ConstDeviceBuffer(const DeviceBuffer& buffer) : data(buffer.data), size_bytes(buffer.size_bytes) {}
};

/// Which rank of which group this is.
struct NcclMembership {
    std::string group;
    Epoch epoch;
    std::uint32_t rank = 0;
    std::uint32_t world_size = 1;
};

/// How the ranks speak while there is no communicator yet, and hear of each other's deaths while NCCL waits for the dead.
struct NcclHooks {
    /// Rank 0's bytes become those of all, as ProcessGroup::broadcast does.
    std::function<Result<void>(std::vector<std::byte>& bytes, std::chrono::milliseconds timeout)> broadcast_from_rank_0;
    StopCheck stop;
    /// Hears what ends the group here, without the group's name, before the communicator is aborted: abort on one rank may
    /// wait for the others'. May be empty.
    std::function<void(const Error&)> on_failure = {};

    void tell_failure(const Error& error) const
    {
        if (on_failure) {
            on_failure(error);
        }
    }
};

/// The operations of a process group on GPU memory, over NCCL: for a ProcessGroup with Backend::nccl, which does everything
/// else over its own connections. All ranks call the same operations in the same order with equal sizes; NCCL does not
/// notice when they do not, so the caller has to (else: TimedOut, or worse).
///
/// An operation returns when its results can be used. It begins when the work of the stream named by after_stream() is done.
/// Every error but InvalidArgument ends the group here: the communicator is aborted before the call returns, later calls give
/// Aborted, and the caller has to end the epoch on the other ranks. A call ends at its deadline, plus what NCCL takes to abort;
/// if that is more than NcclOptions::abort_patience, the process ends. Not thread-safe: an abort() from another thread reaches it
/// by NcclHooks::stop.
class NcclCollectives {
public:
    /// Joins all ranks of the group; blocks until they are there, or the timeout has come.
    static Result<NcclCollectives> create(const NcclPlugin& plugin, const NcclMembership& membership,
                                          const NcclOptions& options, NcclHooks hooks,
                                          std::chrono::milliseconds timeout);

    NcclCollectives(NcclCollectives&&) noexcept;
    NcclCollectives& operator=(NcclCollectives&&) noexcept;
    ~NcclCollectives();

    const sdfleet_nccl_facts& facts() const;

    /// A cudaStream_t; null, as at first, is the default stream.
    void after_stream(void* stream);

    Result<void> barrier(std::chrono::milliseconds timeout);
    /// In place.
    Result<void> all_reduce(DeviceBuffer elements, ElementType type, ReduceOp op, std::chrono::milliseconds timeout);
    Result<void> broadcast(DeviceBuffer buffer, std::uint32_t root, std::chrono::milliseconds timeout);
    /// `output` counts at root alone: world_size times input's size, by rank.
    Result<void> gather(ConstDeviceBuffer input, DeviceBuffer output, std::uint32_t root,
                        std::chrono::milliseconds timeout);
    Result<void> all_gather(ConstDeviceBuffer input, DeviceBuffer output, std::chrono::milliseconds timeout);
    /// `input` counts at root alone: world_size times output's size, by rank.
    Result<void> scatter(ConstDeviceBuffer input, DeviceBuffer output, std::uint32_t root,
                         std::chrono::milliseconds timeout);
    /// NCCL has no tags: sends between two ranks are received in their order.
    Result<void> send(ConstDeviceBuffer buffer, std::uint32_t to, std::chrono::milliseconds timeout);
    Result<void> recv(DeviceBuffer buffer, std::uint32_t from, std::chrono::milliseconds timeout);

    /// Ends the group here, now. By the thread that calls the operations.
    void abort();

private:
    struct Impl;
    explicit NcclCollectives(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace sdfleet::collective
