// SPDX-License-Identifier: Apache-2.0
#include "coordinator/gateway/answer.hpp"

#include "coordinator/gateway/metrics.hpp"

#include <algorithm>

namespace sdfleet::coordinator::gateway {

namespace {

constexpr unsigned ok = 200;
constexpr unsigned not_found = 404;
constexpr unsigned unavailable = 503;

/// The fault holds names from elsewhere.
std::string one_line(std::string text)
{
    std::ranges::replace_if(
        text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
    return text + "\n";
}

} // namespace

Answer readiness(const proto::Status& status)
{
    if (!status.storage_fault.empty()) {
        return {unavailable, one_line("results cannot be written: " + status.storage_fault)};
    }
    if (status.actors_busy + status.actors_idle == 0) {
        return {unavailable, one_line("no actor is ready: " + std::to_string(status.actors_starting) + " starting, " +
                                      std::to_string(status.actors_failed) + " failed, " +
                                      std::to_string(status.nodes_alive) + " nodes alive")};
    }
    return {ok, "ready\n"};
}

Answer answer(std::string_view target, const ReadStatus& read_status)
{
    const auto path = target.substr(0, target.find('?'));
    if (path == "/metrics") {
        return {ok, metrics_text(read_status()), metrics_content_type};
    }
    if (path == "/healthz") {
        return {ok, "ok\n"};
    }
    if (path == "/readyz") {
        return readiness(read_status());
    }
    return {not_found, "there are /metrics, /healthz and /readyz\n"};
}

} // namespace sdfleet::coordinator::gateway
