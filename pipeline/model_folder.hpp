// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <filesystem>
#include <string>

namespace sdfleet::pipeline {

/// The files of a Stable Diffusion folder in diffusers layout that the pipeline reads.
struct ModelFolder {
    std::filesystem::path tokenizer; ///< a folder
    std::filesystem::path scheduler_config;
    std::filesystem::path text_encoder_config;
    std::filesystem::path text_encoder_weights;
    std::filesystem::path unet_config;
    std::filesystem::path unet_weights;
    std::filesystem::path vae_config;
    std::filesystem::path vae_weights;

    /// Reads model_index.json and finds the files. Fails with ExitCode::bad_input: no folder, no index, a component of a
    /// class that this version does not know, a file missing. The safety checker and image encoder are not run.
    static base::Result<ModelFolder> open(const std::filesystem::path& folder);
};

/// The last part of the folder's path, whatever it was called with ("models/x/", "." inside it).
std::string folder_name(const std::filesystem::path& folder);

} // namespace sdfleet::pipeline
