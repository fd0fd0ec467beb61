// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/error.hpp"
#include "collective/mesh.hpp"

#include <string>
#include <utility>

namespace sdfleet::collective {

/// Why a group did not come about, as this rank saw it.
inline Error forming_error(Cause cause, const Membership& self, const std::string& why)
{
    return {std::move(cause), "forming group " + self.group + ", epoch " + std::to_string(self.epoch.value) +
                                  ", rank " + std::to_string(self.rank.value) + ": " + why};
}

} // namespace sdfleet::collective
