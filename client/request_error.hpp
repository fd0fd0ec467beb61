// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "proto/messages.hpp"

#include <string>

namespace sdfleet::client {

/// What a coordinator's refusal of a request means for a program: a bad value is a usage error, all else a failure.
base::Error error_of(const proto::RequestFailed& refusal);

/// What a refused hello means. `endpoint` is where it was said.
base::Error error_of(const proto::Refused& refusal, const std::string& endpoint);

} // namespace sdfleet::client
