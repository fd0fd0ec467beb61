// SPDX-License-Identifier: Apache-2.0
#include "collective/cuda/communicator.hpp"

#include "collective/cuda/device.hpp"

#include <chrono>
#include <cstring>

namespace sdfleet::cuda {

Outcome Communicator::create(const NcclLibrary& nccl, const sdfleet_nccl_communicator_options& options,
                             std::unique_ptr<Communicator>& created)
{
    if (options.world_size == 0 || options.world_size > INT32_MAX || options.rank >= options.world_size ||
        options.device < 0 || options.max_ctas < 0) {
        return {SDFLEET_NCCL_INVALID, "a rank, world size, device or max_ctas out of range"};
    }
    std::unique_ptr<Communicator> communicator(new Communicator(nccl, options));
    if (auto prepared = communicator->prepare(); prepared.is_error()) {
        return prepared;
    }
    if (auto begun = communicator->begin(options); begun.is_error()) {
        return begun;
    }
    created = std::move(communicator);
    return {SDFLEET_NCCL_PENDING, {}};
}

Communicator::Communicator(const NcclLibrary& nccl, const sdfleet_nccl_communicator_options& options)
    : nccl_(nccl), rank_(options.rank), world_size_(options.world_size), device_(options.device)
{
}

Communicator::~Communicator()
{
    if (!closer_.joinable()) {
        free_device_objects();
        return;
    }
    if (finish_ms_.load() == still_open) {
        close(0);
    }
    closer_.join();
}

Outcome Communicator::prepare()
{
    Outcome outcome;
    const auto done = [&](cudaError_t error, const char* call) {
        outcome = cuda_outcome(error, call);
        return !outcome.is_error();
    };
    static_cast<void>(done(cudaSetDevice(device_), "cudaSetDevice") &&
                      // Non-blocking: neither waits for the default stream nor makes it wait.
                      done(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags") &&
                      done(cudaEventCreateWithFlags(&before_, cudaEventDisableTiming), "cudaEventCreateWithFlags") &&
                      done(cudaEventCreateWithFlags(&end_, cudaEventDisableTiming), "cudaEventCreateWithFlags") &&
                      done(cudaMalloc(&barrier_memory_, sizeof(std::int32_t)), "cudaMalloc") &&
                      done(cudaMemsetAsync(barrier_memory_, 0, sizeof(std::int32_t), stream_), "cudaMemsetAsync"));
    return outcome;
}

Outcome Communicator::begin(const sdfleet_nccl_communicator_options& options)
{
    ncclUniqueId id{};
    static_assert(sizeof(id.internal) == sizeof(options.unique_id));
    std::memcpy(id.internal, options.unique_id, sizeof(id.internal));
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    if (options.max_ctas > 0) {
        config.maxCTAs = options.max_ctas;
    }
    closer_ = std::thread([this] { close_and_free(); });
    const auto result = nccl_.comm_init_rank_config(&communicator_, static_cast<int>(world_size_), id,
                                                    static_cast<int>(rank_), &config);
    auto outcome = outcome_of(result, "ncclCommInitRankConfig");
    if (outcome.is_error() && communicator_ != nullptr) {
        // There is something to abort, which may hang: the first poll tells, and the caller closes.
        broken(std::move(outcome));
        return {SDFLEET_NCCL_PENDING, {}};
    }
    return outcome;
}

Outcome Communicator::outcome_of(ncclResult_t result, const char* call)
{
    if (result == ncclSuccess) {
        return {};
    }
    if (result == ncclInProgress) {
        return {SDFLEET_NCCL_PENDING, {}};
    }
    std::string why = std::string(call) + ": " + nccl_.get_error_string(result);
    const char* last = nccl_.get_last_error(communicator_);
    if (last != nullptr && *last != '\0') {
        why += std::string(" (") + last + ")";
    }
    return {result == ncclRemoteError ? SDFLEET_NCCL_PEER_LOST : SDFLEET_NCCL_FAILED, why};
}

Outcome Communicator::broken(Outcome outcome)
{
    state_ = State::broken;
    why_broken_ = outcome.why;
    return outcome;
}

Outcome Communicator::ask_nccl()
{
    ncclResult_t state = ncclSuccess;
    auto asked = outcome_of(nccl_.comm_get_async_error(communicator_, &state), "ncclCommGetAsyncError");
    auto outcome = asked.is_error() ? asked : outcome_of(state, "NCCL");
    return outcome.is_error() ? broken(std::move(outcome)) : outcome;
}

NcclPlace Communicator::place() const
{
    return {nccl_, communicator_, stream_, rank_, world_size_, barrier_memory_};
}

Outcome Communicator::start(const sdfleet_nccl_operation& operation)
{
    if (state_ == State::broken) {
        return {SDFLEET_NCCL_FAILED, why_broken_};
    }
    if (state_ != State::idle) {
        return {SDFLEET_NCCL_INVALID, "the communicator is busy"};
    }
    if (auto check = check_operation(place(), operation); check.is_error()) {
        return check;
    }
    auto waits = cuda_outcome(cudaSetDevice(device_), "cudaSetDevice");
    if (!waits.is_error()) {
        waits = cuda_outcome(cudaEventRecord(before_, static_cast<cudaStream_t>(operation.after_stream)),
                             "cudaEventRecord");
    }
    if (!waits.is_error()) {
        waits = cuda_outcome(cudaStreamWaitEvent(stream_, before_, 0), "cudaStreamWaitEvent");
    }
    if (waits.is_error()) {
        return broken(std::move(waits));
    }
    auto enqueued = outcome_of(enqueue_operation(place(), operation), "NCCL");
    if (enqueued.is_error()) {
        return broken(std::move(enqueued));
    }
    state_ = State::enqueueing;
    return {SDFLEET_NCCL_PENDING, {}};
}

Outcome Communicator::mark_end()
{
    if (auto recorded = cuda_outcome(cudaEventRecord(end_, stream_), "cudaEventRecord"); recorded.is_error()) {
        return broken(std::move(recorded));
    }
    state_ = State::running;
    return {};
}

Outcome Communicator::poll()
{
    if (state_ == State::idle) {
        return {};
    }
    if (state_ == State::broken) {
        return {SDFLEET_NCCL_FAILED, why_broken_};
    }
    if (state_ == State::closing) {
        return {SDFLEET_NCCL_INVALID, "the communicator is being closed"};
    }
    // Also while the kernel runs: a lost peer shows here alone, the kernel waits on.
    if (auto nccl = ask_nccl(); nccl.status != SDFLEET_NCCL_DONE) {
        return nccl;
    }
    if (state_ == State::creating) {
        state_ = State::idle;
        return {};
    }
    if (auto set = cuda_outcome(cudaSetDevice(device_), "cudaSetDevice"); set.is_error()) {
        return broken(std::move(set));
    }
    if (state_ == State::enqueueing) {
        if (auto marked = mark_end(); marked.is_error()) {
            return marked;
        }
    }
    const auto error = cudaEventQuery(end_);
    if (error == cudaErrorNotReady) {
        return {SDFLEET_NCCL_PENDING, {}};
    }
    if (error != cudaSuccess) {
        return broken(cuda_outcome(error, "cudaEventQuery"));
    }
    state_ = State::idle;
    return {};
}

void Communicator::close(std::uint32_t finish_ms)
{
    if (state_ == State::closing) {
        return;
    }
    // Only what is at rest can be finished.
    const bool at_rest = state_ == State::idle;
    state_ = State::closing;
    finish_ms_.store(at_rest ? finish_ms : 0);
    finish_ms_.notify_one();
}

void Communicator::close_and_free()
{
    finish_ms_.wait(still_open);
    static_cast<void>(cudaSetDevice(device_));
    if (const auto finish_ms = finish_ms_.load(); finish_ms > 0) {
        finish(static_cast<std::uint32_t>(finish_ms));
    }
    // Abort in every case: ncclCommDestroy may wait for the other ranks, without a limit.
    if (communicator_ != nullptr) {
        static_cast<void>(nccl_.comm_abort(communicator_));
    }
    free_device_objects();
    closed_.store(true, std::memory_order_release);
}

void Communicator::finish(std::uint32_t finish_ms)
{
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(finish_ms);
    auto state = nccl_.comm_finalize(communicator_);
    while (state == ncclInProgress && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        if (nccl_.comm_get_async_error(communicator_, &state) != ncclSuccess) {
            return;
        }
    }
}

void Communicator::free_device_objects()
{
    static_cast<void>(cudaFree(barrier_memory_));
    if (end_ != nullptr) {
        static_cast<void>(cudaEventDestroy(end_));
    }
    if (before_ != nullptr) {
        static_cast<void>(cudaEventDestroy(before_));
    }
    if (stream_ != nullptr) {
        static_cast<void>(cudaStreamDestroy(stream_));
    }
}

} // namespace sdfleet::cuda
