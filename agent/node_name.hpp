// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace sdfleet::agent {

/// This machine's host name, as it is.
std::string host_name();

/// The nearest valid node id: what is not allowed in one becomes '-'.
std::string to_node_name(std::string text);

} // namespace sdfleet::agent
