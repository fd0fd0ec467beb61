// SPDX-License-Identifier: Apache-2.0
#include "pipeline/generate_request.hpp"

#include "base/utf8.hpp"
#include "pipeline/scheduler_names.hpp"

#include <algorithm>
#include <cmath>

namespace sdfleet::pipeline {

namespace {

base::Result<void> usage(const std::string& message)
{
    return base::fail(base::ExitCode::usage, message);
}

base::Result<void> check_side(const char* name, std::optional<int> side, int multiple)
{
    if (side && (*side < multiple || *side > max_picture_side || *side % multiple != 0)) {
        return usage(std::string(name) + " is " + std::to_string(*side) + "; it must be a multiple of " +
                     std::to_string(multiple) + " from " + std::to_string(multiple) + " to " +
                     std::to_string(max_picture_side));
    }
    return {};
}

base::Result<void> check_prompt(const std::string& kind, const std::string& prompt)
{
    if (prompt.size() > max_prompt_bytes) {
        return usage(kind + " has " + std::to_string(prompt.size()) + " bytes; the limit is " +
                     std::to_string(max_prompt_bytes));
    }
    if (!base::is_utf8(prompt) || prompt.find('\0') != std::string::npos) {
        return usage(kind + " is not valid UTF-8 text");
    }
    return {};
}

base::Result<void> check_prompts(const GenerateRequest& request)
{
    const std::size_t count = request.prompts.size();
    if (count == 0) {
        return usage("no prompt was given");
    }
    if (request.seeds.size() != count) {
        return usage("there must be one seed per prompt");
    }
    if (request.negative_prompts.size() > 1 && request.negative_prompts.size() != count) {
        return usage("there must be one negative prompt, or one per prompt");
    }
    for (const std::string& prompt : request.prompts) {
        if (auto fine = check_prompt("a prompt", prompt); !fine) {
            return fine;
        }
    }
    for (const std::string& prompt : request.negative_prompts) {
        if (auto fine = check_prompt("a negative prompt", prompt); !fine) {
            return fine;
        }
    }
    return {};
}

base::Result<void> check_image(const char* name, const InputImage& image)
{
    const auto side = [](int pixels) { return pixels > 0 ? static_cast<std::size_t>(pixels) : 0; };
    if (image.rgb.empty() || image.rgb.size() != side(image.width) * side(image.height) * 3) {
        return usage(std::string(name) + " is empty, or not as large as it says");
    }
    return {};
}

base::Result<void> check_images(const GenerateRequest& request)
{
    if (!request.init_image) {
        return request.mask_image ? usage("a mask image needs an init image, of which it keeps a part")
               : request.strength ? usage("strength needs an init image, from which it says how far to go")
                                  : base::Result<void>{};
    }
    if (auto fine = check_image("the init image", *request.init_image); !fine) {
        return fine;
    }
    if (request.mask_image) {
        if (auto fine = check_image("the mask image", *request.mask_image); !fine) {
            return fine;
        }
    }
    if (!(strength_of(request) > 0 && strength_of(request) <= 1)) {
        return usage("strength must be above 0 and at most 1");
    }
    if (steps_to_draw(request) < 1) {
        return usage("this strength is less than one of " + std::to_string(request.num_inference_steps) +
                     " steps: nothing would be drawn; raise the strength or the steps");
    }
    return {};
}

} // namespace

double strength_of(const GenerateRequest& request)
{
    return !request.init_image ? 1.0 : request.strength.value_or(request.mask_image ? 1.0 : 0.8);
}

int steps_to_draw(const GenerateRequest& request)
{
    const int steps = request.num_inference_steps;
    return std::min(static_cast<int>(steps * strength_of(request)), steps);
}

base::Result<void> check_request(const GenerateRequest& request, int side_multiple)
{
    if (request.num_inference_steps < 1 || request.num_inference_steps > max_inference_steps) {
        return usage("steps is " + std::to_string(request.num_inference_steps) + "; it must be from 1 to " +
                     std::to_string(max_inference_steps));
    }
    if (!std::isfinite(request.guidance_scale)) {
        return usage("guidance scale is not a finite number");
    }
    if (request.clip_skip.value_or(0) < 0) {
        return usage("clip skip is " + std::to_string(*request.clip_skip) + "; it must be 0 or more");
    }
    return check_scheduler_name(request.scheduler)
        .and_then([&] { return check_side("height", request.height, side_multiple); })
        .and_then([&] { return check_side("width", request.width, side_multiple); })
        .and_then([&] { return check_lora_choices(request.loras); })
        .and_then([&] { return check_prompts(request); })
        .and_then([&] { return check_images(request); });
}

std::optional<std::string> negative_prompt_of(const GenerateRequest& request, std::size_t index)
{
    const auto& negatives = request.negative_prompts;
    return negatives.empty() ? std::nullopt : std::optional(negatives[negatives.size() == 1 ? 0 : index]);
}

} // namespace sdfleet::pipeline
