// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/log_subject.hpp"

#include <string>

namespace sdfleet::base {

/// A log line and what it is about, which --log-format json shows.
void log_about(LogLevel level, const std::string& text, const LogSubject& subject);

/// Node and actor that every later line of this process is about, unless it says otherwise. Before other threads log.
void set_log_subject(LogSubject subject);

const LogSubject& log_subject();

} // namespace sdfleet::base
