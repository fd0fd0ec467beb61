// SPDX-License-Identifier: Apache-2.0
#include "actor/echo_kind.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace sdfleet::actor {

namespace {

constexpr std::uint32_t steps = 10;

/// Sleeps until the time has come; false when the item was cancelled before.
bool wait_until(std::chrono::steady_clock::time_point time, const std::stop_token& cancelled)
{
    std::mutex mutex;
    std::condition_variable_any wake_up;
    std::unique_lock lock(mutex);
    wake_up.wait_until(lock, cancelled, time, [] { return false; });
    return !cancelled.stop_requested();
}

std::string repeated(const std::string& text, std::size_t bytes)
{
    if (bytes == 0 || text.empty()) {
        return text;
    }
    std::string result;
    result.reserve(bytes + text.size());
    while (result.size() < bytes) {
        result += text;
    }
    result.resize(bytes);
    return result;
}

} // namespace

Outcome EchoKind::handle(const proto::Assign& assign, const WorkContext& context)
{
    const auto* parameters = std::get_if<proto::EchoParameters>(&assign.parameters.kind);
    if (parameters == nullptr || parameters->result_bytes > proto::max_echo_bytes) {
        return tl::unexpected(Failure{proto::FailureReason::bad_request, "not an echo item"});
    }
    const auto start = std::chrono::steady_clock::now();
    for (std::uint32_t step = 1; step <= steps && parameters->delay_ms > 0; ++step) {
        const auto delay = std::chrono::microseconds(parameters->delay_ms * std::uint64_t{1000} * step / steps);
        if (!wait_until(start + delay, context.cancelled)) {
            return tl::unexpected(Failure{proto::FailureReason::cancelled, "cancelled"});
        }
        context.report_step(step, steps);
    }
    return Product{"application/octet-stream", proto::Blob::of(repeated(assign.item.prompt, parameters->result_bytes))};
}

} // namespace sdfleet::actor
