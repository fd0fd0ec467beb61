// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/messages.hpp"

#include <string>

namespace sdfleet::sim {

/// One line about a message: its name, and whom it is about.
std::string describe(const proto::Message& message);
std::string describe(proto::AttemptId id); ///< "#2.17": the seventeenth of the coordinator's second life

} // namespace sdfleet::sim
