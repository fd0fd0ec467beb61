// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "pipeline/input_image.hpp"
#include "pipeline/lora_choice.hpp"
#include "pipeline/prompt_syntax.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sdfleet::pipeline {

/// What to draw. Pictures of one request share everything but prompt, negative prompt and seed.
struct GenerateRequest {
    std::vector<std::string> prompts;
    std::vector<std::string> negative_prompts; ///< none at all, one for all, or one per prompt
    std::vector<std::uint64_t> seeds;          ///< one per prompt; only the low 32 bits matter to the noise
    int num_inference_steps = 50;
    double guidance_scale = 7.5; ///< at or below 1 the negative prompt has no say and the model runs half as often
    std::optional<int> height;   ///< pixels; what the model was trained on where absent
    std::optional<int> width;
    PromptSyntax prompt_syntax = PromptSyntax::plain;
    std::optional<int> clip_skip; ///< layers that the text encoder leaves out at its end; absent: 0
    std::string scheduler;        ///< a name; empty: the model folder's own

    std::shared_ptr<const InputImage> init_image; ///< what to start from; none: noise alone
    std::shared_ptr<const InputImage> mask_image; ///< with an init image: only its bright part is drawn anew
    std::optional<double> strength; ///< above 0, to 1: how far from the init image; see strength_of for the default
    bool keep_unmasked = true;      ///< what the mask leaves out keeps the init image's pixels to the bit
    std::vector<LoraChoice> loras;  ///< for these pictures alone
    int batch_size = 1;             ///< in fast mode, pictures that are drawn together: 1 to max_batch_size
    bool keep_tensors = true;       ///< hand out latents and embeddings with each picture, not the pixels alone
};

/// The strength in force: 1 without an init image; 0.8, or 1 with a mask, where the request does not say.
double strength_of(const GenerateRequest& request);

/// How many of the request's steps are drawn, the last ones: the share that its strength says, rounded down.
int steps_to_draw(const GenerateRequest& request);

/// Limits of a request, whatever the model.
inline constexpr int max_picture_side = 4096;
inline constexpr int max_inference_steps = 1000;
inline constexpr std::size_t max_prompt_bytes = 10'000;
inline constexpr int max_batch_size = 64;

/// The first thing wrong with the request, as ExitCode::usage. `side_multiple`: what width and height must divide by.
base::Result<void> check_request(const GenerateRequest& request, int side_multiple);

/// The negative prompt of picture `index`; nothing where the request has none, which is not always the same as "".
std::optional<std::string> negative_prompt_of(const GenerateRequest& request, std::size_t index);

} // namespace sdfleet::pipeline
