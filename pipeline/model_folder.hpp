// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "pipeline/weight_files.hpp"

#include <filesystem>
#include <string>

namespace sdfleet::pipeline {

/// Which published pipeline a folder is for.
enum class ModelFamily { stable_diffusion, stable_diffusion_xl, latent_consistency };

/// The files of a Stable Diffusion folder in diffusers layout that the pipeline reads.
struct ModelFolder {
    ModelFamily family = ModelFamily::stable_diffusion;
    std::filesystem::path tokenizer; ///< a folder
    std::filesystem::path scheduler_config;
    std::filesystem::path text_encoder_config;
    WeightFiles text_encoder_weights;
    std::filesystem::path tokenizer_2; ///< this and the next two: SDXL only
    std::filesystem::path text_encoder_2_config;
    WeightFiles text_encoder_2_weights;
    std::filesystem::path unet_config;
    WeightFiles unet_weights;
    std::filesystem::path vae_config;
    WeightFiles vae_weights;
    bool zeros_without_negative_prompt = false; ///< no negative prompt at all is zeros, not an empty text

    /// Reads model_index.json and finds the files. Fails with ExitCode::bad_input: no folder, no index, a component of a
    /// class that this version does not know, a file missing, no file of the `variant` (see find_weights) at all. The safety checker and image encoder are not run.
    static base::Result<ModelFolder> open(const std::filesystem::path& folder, const std::string& variant = {});
};

/// The last part of the folder's path, whatever it was called with ("models/x/", "." inside it).
std::string folder_name(const std::filesystem::path& folder);

} // namespace sdfleet::pipeline
