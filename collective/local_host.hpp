// SPDX-License-Identifier: Apache-2.0
// What a rank knows of the machine that it runs on.
#pragma once

#include <optional>
#include <string>

namespace sdfleet::collective {

/// Equal for processes that can reach each other's files and prove nothing to each other: the same boot of the same
/// machine, the same mounts and network, the same user.
std::string host_identity();

/// The IPv4 address, in numbers, of a name or a number; nothing when there is none.
std::optional<std::string> resolve_address(const std::string& name);

/// In numbers, as resolve_address() gives them.
bool is_loopback(const std::string& address);

/// The address of this machine from which `remote` is reached; nothing when there is no way. Sends nothing.
std::optional<std::string> address_towards(const std::string& remote);

} // namespace sdfleet::collective
