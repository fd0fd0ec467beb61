// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/messages.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace sdfleet::coordinator::gateway {

/// Tells the fleet in numbers; called on the loop's thread, and only for requests that need it.
using ReadStatus = std::function<proto::Status()>;

struct Answer {
    unsigned status_code = 200;
    std::string body; ///< one line, but for /metrics
    std::string content_type = "text/plain; charset=utf-8";
};

/// What GET `target` gets: /metrics, /healthz, /readyz; else 404. What follows a ? is ignored.
Answer answer(std::string_view target, const ReadStatus& read_status);

/// 200 when the fleet can do work and keep the results, else 503 and why not.
Answer readiness(const proto::Status& status);

} // namespace sdfleet::coordinator::gateway
