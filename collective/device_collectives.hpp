// SPDX-License-Identifier: Apache-2.0
// Internal to collective/: what a backend for device memory gives. ProcessGroup holds one beside its mesh.
#pragma once

#include "collective/element_type.hpp"
#include "collective/error.hpp"
#include "collective/process_group.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace sdfleet::collective {

/// The device's queue in which the operands are ready and in which results are used; as its runtime names it.
struct DeviceStream {
    void* handle = nullptr;
};

/// Collective operations on device memory. Pointers are of the device that the backend was made for; counts are in
/// elements, per rank, and equal on all ranks. A call returns when the result may be used on the stream, or with an error
/// by its deadline. As with ProcessGroup, the first error but InvalidArgument ends the epoch, on all members; operations,
/// element types and sizes that differ are found before anything moves. Not thread-safe, abort() excepted.
class DeviceCollectives {
public:
    virtual ~DeviceCollectives() = default;

    /// Whose memory, as Torch calls it: "cuda:0".
    virtual const std::string& device() const = 0;

    virtual Result<void> barrier(DeviceStream stream, Timeout timeout) = 0;
    virtual Result<void> broadcast(void* buffer, std::size_t count, ElementType type, std::uint32_t root,
                                   DeviceStream stream, Timeout timeout) = 0;
    /// In place.
    virtual Result<void> all_reduce(void* buffer, std::size_t count, ElementType type, ReduceOp op, DeviceStream stream,
                                    Timeout timeout) = 0;
    /// `output` counts at root alone: world_size times `count`, by rank.
    virtual Result<void> gather(const void* input, void* output, std::size_t count, ElementType type,
                                std::uint32_t root, DeviceStream stream, Timeout timeout) = 0;
    virtual Result<void> all_gather(const void* input, void* output, std::size_t count, ElementType type,
                                    DeviceStream stream, Timeout timeout) = 0;
    /// `input` counts at root alone: world_size times `count`, by rank.
    virtual Result<void> scatter(const void* input, void* output, std::size_t count, ElementType type,
                                 std::uint32_t root, DeviceStream stream, Timeout timeout) = 0;
    /// Waits for the other rank's recv, and recv for its send: two ranks that both send first do not agree.
    virtual Result<void> send(const void* buffer, std::size_t count, ElementType type, std::uint32_t to,
                              DeviceStream stream, Timeout timeout) = 0;
    virtual Result<void> recv(void* buffer, std::size_t count, ElementType type, std::uint32_t from,
                              DeviceStream stream, Timeout timeout) = 0;

    /// Ends what is under way, and the epoch, on this rank. Thread-safe; a second call does nothing.
    virtual void abort(const std::string& reason) = 0;
};

} // namespace sdfleet::collective
