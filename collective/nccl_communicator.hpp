// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/deadline.hpp"
#include "collective/nccl_plugin_loader.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace sdfleet::collective {

/// Asked again and again, about every millisecond, while something waits: the reason to give up, once there is one
/// (PeerLost, Aborted). Must not block.
using StopCheck = std::function<std::optional<Error>()>;

/// Owns one communicator of the plug-in and waits for it: with a deadline, and not longer than its owner wants. Not
/// thread-safe. What fails here comes back without the group's name.
class NcclCommunicator {
public:
    struct Patience {
        std::chrono::milliseconds finish{2'000}; ///< for what was sent to arrive, when the group is left in good order
        std::chrono::milliseconds abort{5'000};
    };

    /// Starts to join; finished by the first wait().
    static Result<NcclCommunicator> create(const NcclPlugin& plugin, const sdfleet_nccl_communicator_options& options,
                                           Patience patience);

    NcclCommunicator(NcclCommunicator&& other) noexcept;
    NcclCommunicator& operator=(NcclCommunicator&&) = delete;
    /// Leaves in good order, if nothing is under way; else as abort() does.
    ~NcclCommunicator();

    Result<void> start(const sdfleet_nccl_operation& operation);

    /// Until what was started is done. TimedOut (without ranks: NCCL does not tell), PeerLost (the same, unless
    /// `stop` names them soon), Aborted when NCCL failed otherwise, or what `stop` said. After an error only abort() makes sense: until then NCCL may still write into
    /// the operation's buffers.
    Result<void> wait(const Deadline& deadline, const StopCheck& stop);

    /// Returns when the communicator is gone. An abort that hangs for longer than the patience ends the process with SIGKILL:
    /// a kernel that does not end would keep the GPU, and the buffers, for ever. A second call does nothing.
    void abort() noexcept;

private:
    NcclCommunicator(const sdfleet_nccl_plugin& table, sdfleet_nccl_communicator* handle, Patience patience);
    void close(std::chrono::milliseconds finish) noexcept;

    const sdfleet_nccl_plugin* table_;
    sdfleet_nccl_communicator* handle_;
    Patience patience_;
};

} // namespace sdfleet::collective
