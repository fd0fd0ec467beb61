// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace sdfleet::pipeline {

/// Where one component's parameters lie: in one safetensors file, or in several with an index that says what is where.
struct WeightFiles {
    std::filesystem::path main;               ///< the file, or the index: what errors name
    std::vector<std::filesystem::path> files; ///< at least one
    std::map<std::string, std::string> index; ///< tensor -> name of its file; empty without an index

    WeightFiles() = default;
    WeightFiles(const std::filesystem::path& file) : main(file), files{file} {} // NOLINT: one file is the plain case
};

/// The component's weights as diffusers and transformers name them: "<stem>.safetensors", or an index of shards beside
/// it. With a `variant` ("fp16") files of that variant come first, and the plain ones where the component has none;
/// without, the plain ones come first, then fp16. Errors are ExitCode::bad_input: none of them, or an index that is
/// damaged, names a file outside the folder, or one that is missing.
base::Result<WeightFiles> find_weights(const std::filesystem::path& folder, const std::string& stem,
                                       const std::string& variant);

/// True if the folder has files of that variant for `stem`.
bool has_variant(const std::filesystem::path& folder, const std::string& stem, const std::string& variant);

/// ExitCode::usage unless `variant` is empty or a word of letters, digits and '_'.
base::Result<void> check_variant(const std::string& variant);

} // namespace sdfleet::pipeline
