// SPDX-License-Identifier: Apache-2.0
#include "actor/diffusion_kind.hpp"

#include "pipeline/not_finite.hpp"
#include "pipeline/png_image.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace sdfleet::actor {

namespace {

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

/// A generator's error, as the wire names it.
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
    // LibTorch has no exception of its own for this: the allocator's text is all there is.
    const bool is_memory = error.message.find("allocate memory") != std::string::npos ||
                           error.message.find("out of memory") != std::string::npos ||
                           error.message.find("bad_alloc") != std::string::npos;
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

} // namespace

base::Result<void> DiffusionKind::start()
{
    if (settings_.models.empty()) {
        return {};
    }
    pipeline::set_threads(settings_.threads);
    return load(settings_.models.front().first);
}

base::Result<void> DiffusionKind::load(const std::string& name)
{
    if (loaded_ && loaded_name_ == name) {
        return {};
    }
    const auto model = std::ranges::find(settings_.models, name, [](const auto& entry) { return entry.first; });
    if (model == settings_.models.end()) {
        return base::fail(base::ExitCode::usage, "this actor does not serve a model named '" + name + "'");
    }
    loaded_.reset(); // first: two may not fit
    auto pipeline = pipeline::DiffusionPipeline::from_pretrained(
        model->second, {settings_.device, pipeline::Dtype::automatic, {}, name});
    if (!pipeline) {
        return tl::unexpected(pipeline.error());
    }
    loaded_ = std::move(*pipeline);
    loaded_name_ = name;
    return {};
}

Outcome DiffusionKind::handle(const proto::Assign& assign, const WorkContext& context)
{
    return draw(assign, context).and_then([this](const Draft& draft) { return finish(draft); });
}

Outcome DiffusionKind::finish(const Draft& draft)
{
    const std::size_t pixels = std::size_t{draft.height} * draft.width * 3;
    if (pixels == 0 || draft.content.bytes.size() != pixels) {
        return tl::unexpected(Failure{FailureReason::internal, "a picture's pixels do not fit its size"});
    }
    std::vector<pipeline::PngText> texts;
    for (const auto& [keyword, text] : draft.texts) {
        texts.push_back({keyword, text});
    }
    auto png = pipeline::encode_png({reinterpret_cast<const std::uint8_t*>(draft.content.bytes.data()), pixels},
                                    static_cast<int>(draft.width), static_cast<int>(draft.height), texts);
    if (!png) {
        return tl::unexpected(to_failure(png.error()));
    }
    const auto bytes = std::make_shared<const std::vector<std::byte>>(std::move(*png));
    return Product{draft.media_type, {bytes, std::span(*bytes)}};
}

DraftOutcome DiffusionKind::draw(const proto::Assign& assign, const WorkContext& context)
{
    const auto* parameters = std::get_if<proto::DiffusionParameters>(&assign.parameters.kind);
    if (parameters == nullptr) {
        return tl::unexpected(Failure{FailureReason::bad_request, "not a picture to draw"});
    }
    if (auto ready = load(assign.model); !ready) {
        return tl::unexpected(to_failure(ready.error()));
    }
    DraftOutcome outcome = tl::unexpected(Failure{FailureReason::internal, "no picture was drawn"});
    const auto drawn = loaded_->generate(
        to_request(*parameters, assign.item),
        [&](std::size_t, pipeline::Picture&& picture) -> base::Result<void> {
            outcome = to_draft(std::move(picture));
            return {};
        },
        [&](int step, int steps) {
            context.report_step(static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(steps));
            return !context.cancelled.stop_requested();
        });
    return drawn ? std::move(outcome) : tl::unexpected(to_failure(drawn.error()));
}

} // namespace sdfleet::actor
