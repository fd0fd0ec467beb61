// SPDX-License-Identifier: Apache-2.0
#include "net/options.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace sdfleet::net {

bool is_local_endpoint(const std::string& endpoint)
{
    constexpr std::array<std::string_view, 5> local{"ipc://", "inproc://", "tcp://127.",
                                                    "tcp://localhost:", "tcp://[::1]:"};
    return std::ranges::any_of(local, [&](std::string_view prefix) { return endpoint.starts_with(prefix); });
}

} // namespace sdfleet::net
