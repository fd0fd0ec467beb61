// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/collectives.hpp"
#include "collective/device_collectives.hpp"
#include "collective/mesh.hpp"
#include "collective/process_group.hpp"
#include "collective/rendezvous_link.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>

namespace sdfleet::collective {

struct ProcessGroup::Impl {
    Impl(Membership membership, Backend chosen, std::chrono::milliseconds operation_timeout)
        : backend(chosen), timeout(operation_timeout), mesh(std::move(membership))
    {
    }

    /// The next operation of this rank, with its deadline.
    Call begin(Operation operation, const Timeout& wanted)
    {
        if (!is_between_two(operation.kind)) {
            operation.sequence = ++sequence;
        }
        return {mesh, operation, Deadline::in(wanted.value_or(timeout))};
    }

    Backend backend = Backend::zmq;
    std::chrono::milliseconds timeout;
    std::mutex mutex; ///< held by an operation while it goes on, and by an abort that found none
    std::uint64_t sequence = 0;
    Mesh mesh;
    std::unique_ptr<RendezvousLink> link;      ///< to the agent; goes before the mesh that it interrupts
    std::unique_ptr<DeviceCollectives> device; ///< of the backend for device memory, if there is one; uses all the rest
};

} // namespace sdfleet::collective
