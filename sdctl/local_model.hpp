// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace sdfleet::sdctl {

/// A model folder of this machine and the name it gets in the fleet.
struct LocalModel {
    std::string name;
    std::filesystem::path folder;
};

/// Finds what --model means with --local: a folder, or a name to be looked for in `places`. Empty means the model that
/// comes with the project. A folder that is no model is ExitCode::bad_input.
base::Result<LocalModel> find_local_model(const std::string& wanted, const std::vector<std::filesystem::path>& places);

/// Where models lie: SDFLEET_MODEL_PATH, then what lies beside the program, installed or in its build tree.
std::vector<std::filesystem::path> model_places(const std::filesystem::path& program_folder);

} // namespace sdfleet::sdctl
