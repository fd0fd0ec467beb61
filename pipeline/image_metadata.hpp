// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/lora_choice.hpp"
#include "pipeline/prompt_syntax.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sdfleet::pipeline {

/// All that a picture's bytes depend on, every default filled in.
struct PictureParameters {
    std::string prompt;
    std::optional<std::string> negative_prompt; ///< absent: none at all, where that is not the same as ""
    std::uint64_t seed = 0;
    int steps = 0;
    double guidance_scale = 0;
    int width = 0;         ///< pixels
    int height = 0;        ///< pixels
    std::string scheduler; ///< "euler", ...
    std::string model_name;
    std::string dtype;                           ///< "fp32", ...
    std::optional<int> clip_skip = std::nullopt; ///< of the text encoder
    PromptSyntax prompt_syntax = PromptSyntax::plain;

    std::string init_image_sha256 = {}; ///< of the file; empty: drawn from noise alone
    std::string mask_image_sha256 = {}; ///< empty: no mask
    std::optional<double> strength = std::nullopt;
    std::optional<bool> keep_unmasked = std::nullopt; ///< with a mask
    std::vector<LoraUse> loras = {};                  ///< those whose weight is not 0

    bool operator==(const PictureParameters&) const = default;
};

/// The text that image tools look for under the PNG keyword "parameters": the prompt, then a line "Negative prompt: ..."
/// if there is one, then one line of "Key: value" pairs. "RNG: CPU" says that the noise was drawn on the CPU. LoRAs stand
/// behind the prompt as "<lora:name:weight>", with their hashes among the pairs.
std::string parameters_text(const PictureParameters& parameters);

/// One JSON object, for the PNG keyword "sdfleet", with what an exact replay needs. It names no node, job or time: equal
/// parameters give equal text.
std::string replay_json(const PictureParameters& parameters);

} // namespace sdfleet::pipeline
