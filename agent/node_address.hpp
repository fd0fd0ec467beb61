// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace sdfleet::agent {

/// The address of this machine from which it reaches the coordinator at `endpoint`, which is where others on that network
/// reach it too. "127.0.0.1" when the coordinator is on this machine, or when there is no way to tell.
std::string find_node_address(const std::string& endpoint);

} // namespace sdfleet::agent
