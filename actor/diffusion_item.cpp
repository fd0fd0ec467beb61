// SPDX-License-Identifier: Apache-2.0
#include "actor/diffusion_item.hpp"

#include "pipeline/not_finite.hpp"
#include "pipeline/out_of_memory.hpp"
#include "pipeline/png_image.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace sdfleet::actor {

using proto::FailureReason;

pipeline::GenerateRequest to_request(const proto::DiffusionParameters& parameters, const proto::ItemSpec& item)
{
    const auto side = [](std::uint32_t pixels) {
        return pixels == 0 ? std::nullopt : std::optional(static_cast<int>(pixels));
    };
    pipeline::GenerateRequest request;
    request.prompts = {item.prompt};
    if (parameters.negative_prompt) {
        request.negative_prompts = {*parameters.negative_prompt};
    }
    request.seeds = {item.seed};
    request.keep_tensors = false;
    request.num_inference_steps = static_cast<int>(parameters.num_inference_steps);
    request.guidance_scale = parameters.guidance_scale;
    request.height = side(parameters.height);
    request.width = side(parameters.width);
    request.scheduler = parameters.scheduler;
    request.prompt_syntax = parameters.prompt_syntax == proto::PromptSyntax::a1111 ? pipeline::PromptSyntax::a1111
                                                                                   : pipeline::PromptSyntax::plain;
    if (parameters.clip_skip > 0) {
        request.clip_skip = static_cast<int>(parameters.clip_skip);
    }
    return request;
}

Failure to_failure(const base::Error& error)
{
    switch (error.code) {
    case base::ExitCode::usage:
        return {FailureReason::bad_request, error.message};
    case base::ExitCode::bad_input:
        return {FailureReason::bad_model, error.message};
    case base::ExitCode::interrupted:
        return {FailureReason::cancelled, "cancelled"};
    default:
        break;
    }
    if (error.message.find(pipeline::not_finite_words) != std::string::npos) {
        return {FailureReason::not_finite, error.message};
    }
    const bool is_memory = pipeline::is_out_of_memory(error.message);
    return {is_memory ? FailureReason::out_of_memory : FailureReason::internal, error.message};
}

Draft to_draft(pipeline::Picture&& picture)
{
    const auto pixels = std::make_shared<const std::vector<std::uint8_t>>(std::move(picture.rgb));
    Draft draft;
    draft.media_type = "image/png";
    draft.content = {pixels, std::as_bytes(std::span(*pixels))};
    draft.height = static_cast<std::uint32_t>(picture.parameters.height);
    draft.width = static_cast<std::uint32_t>(picture.parameters.width);
    for (auto& text : pipeline::picture_texts(picture.parameters)) {
        draft.texts.emplace_back(std::move(text.keyword), std::move(text.text));
    }
    return draft;
}

} // namespace sdfleet::actor
