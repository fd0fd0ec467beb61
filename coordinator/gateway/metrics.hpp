// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/messages.hpp"

#include <string>

namespace sdfleet::coordinator::gateway {

/// What goes with metrics_text in Content-Type.
constexpr const char* metrics_content_type = "text/plain; version=0.0.4; charset=utf-8";

/// The fleet in Prometheus' text format. All names begin with sdfleet_; times are in seconds, sizes in bytes.
std::string metrics_text(const proto::Status& status);

} // namespace sdfleet::coordinator::gateway
