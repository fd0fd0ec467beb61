// SPDX-License-Identifier: Apache-2.0
#include "pipeline/generate_request.hpp"

#include "base/utf8.hpp"
#include "pipeline/scheduler_names.hpp"

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

} // namespace

base::Result<void> check_request(const GenerateRequest& request, int side_multiple)
{
    if (request.num_inference_steps < 1 || request.num_inference_steps > max_inference_steps) {
        return usage("steps is " + std::to_string(request.num_inference_steps) + "; it must be from 1 to " +
                     std::to_string(max_inference_steps));
    }
    if (!std::isfinite(request.guidance_scale)) {
        return usage("guidance scale is not a finite number");
    }
    return check_scheduler_name(request.scheduler)
        .and_then([&] { return check_side("height", request.height, side_multiple); })
        .and_then([&] { return check_side("width", request.width, side_multiple); })
        .and_then([&] { return check_lora_choices(request.loras); })
        .and_then([&] { return check_prompts(request); });
}

const std::string& negative_prompt_of(const GenerateRequest& request, std::size_t index)
{
    static const std::string none;
    const auto& negatives = request.negative_prompts;
    return negatives.empty() ? none : negatives[negatives.size() == 1 ? 0 : index];
}

} // namespace sdfleet::pipeline
