// SPDX-License-Identifier: Apache-2.0
#include "actor/diffusion_kind.hpp"

#include "actor/diffusion_item.hpp"
#include "actor/diffusion_session.hpp"
#include "pipeline/png_image.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace sdfleet::actor {

namespace {

using proto::FailureReason;

/// Whether a prompt fills one chunk of tokens, seen without a tokenizer: no token is shorter than a byte.
bool is_surely_one_chunk(const std::string& text)
{
    constexpr std::size_t fits_a_chunk = 75;
    return text.size() <= fits_a_chunk && text.find("BREAK") == std::string::npos;
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
    const auto mode = pipeline::parse_compute_mode(settings_.mode);
    if (!mode) {
        return tl::unexpected(mode.error());
    }
    auto pipeline = pipeline::DiffusionPipeline::from_pretrained(
        model->second, {settings_.device, pipeline::Dtype::automatic, {}, name, *mode, settings_.tune});
    if (!pipeline) {
        return tl::unexpected(pipeline.error());
    }
    loaded_ = std::move(*pipeline);
    loaded_name_ = name;
    return {};
}

std::size_t DiffusionKind::max_batch() const
{
    return loaded_ && loaded_->is_fast() ? settings_.max_batch : 1;
}

std::string DiffusionKind::batch_key(const proto::Assign& assign) const
{
    std::string key = ActorKind::batch_key(assign);
    const auto* parameters = std::get_if<proto::DiffusionParameters>(&assign.parameters.kind);
    if (parameters == nullptr) {
        return key;
    }
    key += parameters->guidance_scale > 1 ? "|guided" : "|unguided";
    // Prompts of several chunks go with others of as many; whoever has the same text has.
    const std::string negative = parameters->negative_prompt.value_or("");
    const bool one_chunk = parameters->prompt_syntax != proto::PromptSyntax::a1111 ||
                           (is_surely_one_chunk(assign.item.prompt) && is_surely_one_chunk(negative));
    return one_chunk ? key : key + '|' + assign.item.prompt + '|' + negative;
}

tl::expected<std::unique_ptr<BatchSession>, Failure> DiffusionKind::open_session(const proto::Assign& first)
{
    if (max_batch() == 1) {
        return ActorKind::open_session(first);
    }
    if (auto ready = load(first.model); !ready) {
        return tl::unexpected(watch_.note(to_failure(ready.error())));
    }
    return std::make_unique<DiffusionSession>(*loaded_, batch_options_, watch_);
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
        return tl::unexpected(watch_.note(to_failure(ready.error())));
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
    return drawn ? std::move(outcome) : tl::unexpected(watch_.note(to_failure(drawn.error())));
}

} // namespace sdfleet::actor
