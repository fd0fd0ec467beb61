// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace sdfleet::agent {

/// A model folder of this node under the name that jobs use.
struct ServedModel {
    std::string name;
    std::filesystem::path folder; ///< absolute
    std::string fingerprint;      ///< equal folders have equal ones, wherever they are
};

/// What --model NAME=DIR says. Looks at the folder without loading it: it must exist and hold a model_index.json that is
/// JSON (ExitCode::bad_input otherwise). ExitCode::usage for a text or name that cannot be.
base::Result<ServedModel> open_served_model(const std::string& text);

/// All of them; ExitCode::usage when two have one name.
base::Result<std::vector<ServedModel>> open_served_models(const std::vector<std::string>& texts);

} // namespace sdfleet::agent
