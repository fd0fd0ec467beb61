// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "pipeline/lora_choice.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sdfleet::pipeline {

/// What to draw. Pictures of one request share everything but prompt, negative prompt and seed.
struct GenerateRequest {
    std::vector<std::string> prompts;
    std::vector<std::string> negative_prompts; ///< none, one for all, or one per prompt
    std::vector<std::uint64_t> seeds;          ///< one per prompt; only the low 32 bits matter to the noise
    int num_inference_steps = 50;
    double guidance_scale = 7.5; ///< at or below 1 the negative prompt has no say and the model runs half as often
    std::optional<int> height;   ///< pixels; what the model was trained on where absent
    std::optional<int> width;
    std::string scheduler; ///< a name; empty: the model folder's own
    std::vector<LoraChoice> loras; ///< for these pictures alone
};

/// Limits of a request, whatever the model.
inline constexpr int max_picture_side = 4096;
inline constexpr int max_inference_steps = 1000;
inline constexpr std::size_t max_prompt_bytes = 10'000;

/// The first thing wrong with the request, as ExitCode::usage. `side_multiple`: what width and height must divide by.
base::Result<void> check_request(const GenerateRequest& request, int side_multiple);

/// The negative prompt of picture `index`; empty where the request has none.
const std::string& negative_prompt_of(const GenerateRequest& request, std::size_t index);

} // namespace sdfleet::pipeline
