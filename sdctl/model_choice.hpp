// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "proto/messages.hpp"

#include <string>

namespace sdfleet::sdctl {

struct ModelChoice {
    std::string name;
    std::string fingerprint; ///< empty when the nodes' folders differ, or the fleet does not serve it
};

/// The model that `wanted` names, or the fleet's only one when it is empty. A name that the fleet does not serve is left
/// to the coordinator, whose answer says why. Pure.
base::Result<ModelChoice> choose_model(const std::string& wanted, const proto::ModelList& fleet);

} // namespace sdfleet::sdctl
