// SPDX-License-Identifier: Apache-2.0
#include "collective/nccl_communicator.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string_view>
#include <thread>
#include <utility>

#include <unistd.h>

namespace sdfleet::collective {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

/// How long to wait before the next poll: not at all while a small operation would be done, then longer and longer. A GPU has
/// no file descriptor that could be waited for.
class Backoff {
public:
    /// Whether it slept.
    bool wait()
    {
        if (Clock::now() - began_ < microseconds(200)) {
            std::this_thread::yield();
            return false;
        }
        std::this_thread::sleep_for(sleep_);
        sleep_ = std::min(sleep_ * 2, microseconds(1'000));
        return true;
    }

private:
    Clock::time_point began_ = Clock::now();
    microseconds sleep_{20};
};

Error error_of(sdfleet_nccl_status status, const sdfleet_nccl_text& why)
{
    std::string text(why.text, std::find(std::begin(why.text), std::end(why.text), '\0'));
    switch (status) {
    case SDFLEET_NCCL_PEER_LOST:
        return {PeerLost{}, "NCCL lost a rank: " + text};
    case SDFLEET_NCCL_INVALID:
        return {InvalidArgument{}, text};
    case SDFLEET_NCCL_NO_DRIVER:
    case SDFLEET_NCCL_NO_DEVICE:
    case SDFLEET_NCCL_NO_LIBRARY:
        return {BackendUnavailable{}, text};
    default:
        return {Aborted{}, "NCCL failed: " + text};
    }
}

/// NCCL notices a lost rank, sometimes before the owner does, and does not know which: give the owner a moment to say it.
Error name_loss(Error error, const StopCheck& stop)
{
    const auto deadline = Deadline::in(milliseconds(200));
    while (stop && !deadline.has_come()) {
        if (auto reason = stop()) {
            return std::move(*reason);
        }
        std::this_thread::sleep_for(milliseconds(1));
    }
    return error;
}

/// Without a logger: it may hold a lock that a hanging thread took.
[[noreturn]] void die_of_hung_abort(milliseconds patience) noexcept
{
    char line[160];
    const int length =
        std::snprintf(line, sizeof line,
                      "NCCL's abort did not end within %lld ms: this process kills itself, so that the GPU is free\n",
                      static_cast<long long>(patience.count()));
    static_cast<void>(::write(STDERR_FILENO, line, static_cast<std::size_t>(length)));
    for (;;) {
        ::kill(::getpid(), SIGKILL);
    }
}

} // namespace

Result<NcclCommunicator> NcclCommunicator::create(const NcclPlugin& plugin,
                                                  const sdfleet_nccl_communicator_options& options, Patience patience)
{
    sdfleet_nccl_communicator* handle = nullptr;
    sdfleet_nccl_text why{};
    const auto status = plugin.table().create(&options, &handle, &why);
    if (status != SDFLEET_NCCL_PENDING || handle == nullptr) {
        return tl::unexpected(error_of(status, why));
    }
    return NcclCommunicator(plugin.table(), handle, patience);
}

NcclCommunicator::NcclCommunicator(const sdfleet_nccl_plugin& table, sdfleet_nccl_communicator* handle,
                                   Patience patience)
    : table_(&table), handle_(handle), patience_(patience)
{
}

NcclCommunicator::NcclCommunicator(NcclCommunicator&& other) noexcept
    : table_(other.table_), handle_(std::exchange(other.handle_, nullptr)), patience_(other.patience_)
{
}

NcclCommunicator::~NcclCommunicator()
{
    close(patience_.finish);
}

Result<void> NcclCommunicator::start(const sdfleet_nccl_operation& operation)
{
    sdfleet_nccl_text why{};
    const auto status = table_->start(handle_, &operation, &why);
    if (status != SDFLEET_NCCL_PENDING && status != SDFLEET_NCCL_DONE) {
        return tl::unexpected(error_of(status, why));
    }
    return {};
}

Result<void> NcclCommunicator::wait(const Deadline& deadline, const StopCheck& stop)
{
    Backoff backoff;
    for (;;) {
        sdfleet_nccl_text why{};
        const auto status = table_->poll(handle_, &why);
        if (status == SDFLEET_NCCL_DONE) {
            return {};
        }
        if (status == SDFLEET_NCCL_PEER_LOST) {
            return tl::unexpected(name_loss(error_of(status, why), stop));
        }
        if (status != SDFLEET_NCCL_PENDING) {
            return tl::unexpected(error_of(status, why));
        }
        if (deadline.has_come()) {
            return tl::unexpected(
                Error{TimedOut{{}, deadline.timeout}, "not done after " + std::to_string(deadline.timeout.count()) +
                                                          " ms; NCCL does not tell for which ranks it waits"});
        }
        if (backoff.wait()) {
            if (auto reason = stop ? stop() : std::nullopt) {
                return tl::unexpected(std::move(*reason));
            }
        }
    }
}

void NcclCommunicator::abort() noexcept
{
    close(milliseconds(0));
}

void NcclCommunicator::close(milliseconds finish) noexcept
{
    auto* handle = std::exchange(handle_, nullptr);
    if (handle == nullptr) {
        return;
    }
    table_->close(handle, static_cast<std::uint32_t>(finish.count()));
    const auto deadline = Deadline::in(finish + patience_.abort);
    Backoff backoff;
    while (table_->poll_closed(handle) == SDFLEET_NCCL_PENDING) {
        if (deadline.has_come()) {
            die_of_hung_abort(deadline.timeout);
        }
        backoff.wait();
    }
}

} // namespace sdfleet::collective
