// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/cuda/nccl_operation.hpp"
#include "collective/cuda/outcome.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

#include <cuda_runtime_api.h>

namespace sdfleet::cuda {

/// One rank's non-blocking NCCL communicator, with a CUDA stream of its own. One thread calls it; a second one, its own,
/// sleeps until close() and then does what may hang.
class Communicator {
public:
    /// Starts to create it: PENDING, and `created` is set; any error: `created` stays empty.
    static Outcome create(const NcclLibrary& nccl, const sdfleet_nccl_communicator_options& options,
                          std::unique_ptr<Communicator>& created);

    Communicator(const Communicator&) = delete;
    Communicator& operator=(const Communicator&) = delete;
    /// Waits for the closer: only when is_closed(), or where creation failed.
    ~Communicator();

    Outcome start(const sdfleet_nccl_operation& operation);
    Outcome poll();
    void close(std::uint32_t finish_ms);
    bool is_closed() const { return closed_.load(std::memory_order_acquire); }

private:
    enum class State {
        creating,
        idle,
        enqueueing, ///< NCCL prepares the operation on a thread of its own; the stream is not to be touched
        running,
        broken,
        closing
    };
    static constexpr std::int64_t still_open = -1;

    Communicator(const NcclLibrary& nccl, const sdfleet_nccl_communicator_options& options);
    Outcome prepare();
    Outcome begin(const sdfleet_nccl_communicator_options& options);
    /// Where NCCL itself stands: DONE (nothing pending), PENDING, or an error, which breaks the communicator.
    Outcome ask_nccl();
    Outcome outcome_of(ncclResult_t result, const char* call);
    Outcome broken(Outcome outcome);
    Outcome mark_end();
    NcclPlace place() const;
    void close_and_free();
    void finish(std::uint32_t finish_ms);
    void free_device_objects();

    const NcclLibrary& nccl_;
    const std::uint32_t rank_;
    const std::uint32_t world_size_;
    const int device_;
    State state_ = State::creating;
    std::string why_broken_;
    ncclComm_t communicator_ = nullptr;
    cudaStream_t stream_ = nullptr;
    cudaEvent_t before_ = nullptr; ///< what the caller's stream held when the operation was started
    cudaEvent_t end_ = nullptr;
    void* barrier_memory_ = nullptr;
    std::atomic<std::int64_t> finish_ms_{still_open};
    std::atomic<bool> closed_{false};
    // Started before there is anything to abort: an abort must not fail for want of a thread.
    std::thread closer_;
};

} // namespace sdfleet::cuda
