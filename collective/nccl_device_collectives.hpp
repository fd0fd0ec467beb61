// SPDX-License-Identifier: Apache-2.0
// Internal to collective/: device memory over NCCL, for a group that has its mesh.
#pragma once

#include "collective/deadline.hpp"
#include "collective/device_collectives.hpp"
#include "collective/nccl_collectives.hpp"
#include "collective/process_group_impl.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace sdfleet::collective {

/// The operations of a process group on device memory. Before each, the ranks agree over their mesh on what it is, as NCCL
/// does not notice when they do not; while NCCL works, the mesh is asked whether the epoch is over; what NCCL fails at ends
/// the epoch there. An operation holds the group's mutex. What is empty is agreed upon and not moved.
class NcclDeviceCollectives : public DeviceCollectives {
public:
    /// Joins the NCCL of all ranks, which call this at the same time; returns once an operation has gone through it. A failure ends
    /// the epoch. `options.device` is set. `group` outlives what comes back.
    static Result<std::unique_ptr<DeviceCollectives>> create(ProcessGroup::Impl& group, const NcclPlugin& plugin,
                                                             const NcclOptions& options, Deadline deadline);

    explicit NcclDeviceCollectives(ProcessGroup::Impl& group, int device);
    ~NcclDeviceCollectives() override;

    const std::string& device() const override { return device_; }

    Result<void> barrier(DeviceStream stream, Timeout timeout) override;
    Result<void> broadcast(void* buffer, std::size_t count, ElementType type, std::uint32_t root, DeviceStream stream,
                           Timeout timeout) override;
    Result<void> all_reduce(void* buffer, std::size_t count, ElementType type, ReduceOp op, DeviceStream stream,
                            Timeout timeout) override;
    Result<void> gather(const void* input, void* output, std::size_t count, ElementType type, std::uint32_t root,
                        DeviceStream stream, Timeout timeout) override;
    Result<void> all_gather(const void* input, void* output, std::size_t count, ElementType type, DeviceStream stream,
                            Timeout timeout) override;
    Result<void> scatter(const void* input, void* output, std::size_t count, ElementType type, std::uint32_t root,
                         DeviceStream stream, Timeout timeout) override;
    Result<void> send(const void* buffer, std::size_t count, ElementType type, std::uint32_t to, DeviceStream stream,
                      Timeout timeout) override;
    Result<void> recv(void* buffer, std::size_t count, ElementType type, std::uint32_t from, DeviceStream stream,
                      Timeout timeout) override;
    void abort(const std::string& reason) override;

private:
    /// What NCCL is to do, with the time that is left for it.
    using Move = std::function<Result<void>(NcclCollectives& nccl, std::chrono::milliseconds left)>;

    NcclHooks hooks();
    std::optional<Error> find_fault(const Operation& operation, std::size_t count, bool has_memory) const;
    std::optional<Error> find_peer_fault(const Operation& operation, std::uint32_t peer) const;
    Result<void> run(Operation operation, DeviceStream stream, const Timeout& timeout, const Move& move,
                     std::optional<Rank> peer = {});

    ProcessGroup::Impl& group_;
    std::string device_;
    Operation current_; ///< what a failure is of
    std::optional<NcclCollectives> nccl_;
};

} // namespace sdfleet::collective
