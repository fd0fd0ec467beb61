// SPDX-License-Identifier: Apache-2.0
// Internal to collective/: how a group of Backend::nccl gets its NCCL.
#pragma once

#include "collective/deadline.hpp"
#include "collective/nccl_plugin_loader.hpp"
#include "collective/process_group_impl.hpp"

#include <cstdint>
#include <memory>

namespace sdfleet::collective {

/// What this rank can offer to a group over NCCL.
struct NcclAccess {
    NcclPlugin plugin;
    NcclOptions options; ///< with the device
};

/// Loads the plug-in and tries the device. Needs no other rank, and does not tell any. Takes about as long as CUDA takes to start.
/// BackendUnavailable: the reason, without the group's name.
Result<NcclAccess> find_nccl(const NcclOptions& options, std::uint32_t local_rank);

/// Gives a connected group its NCCL, if every rank has found it; else all ranks get BackendUnavailable, with the ranks that have
/// not and why. Called by all ranks; blocks for them until the deadline.
Result<void> set_up_nccl(ProcessGroup::Impl& group, const Result<NcclAccess>& own, Deadline deadline);

} // namespace sdfleet::collective
