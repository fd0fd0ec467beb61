// SPDX-License-Identifier: Apache-2.0
#include "pipeline/loaded_pipeline.hpp"

#include "pipeline/device_facts.hpp"
#include "pipeline/placement.hpp"

#include <algorithm>
#include <exception>
#include <numeric>

#include <ATen/ops/cat.h>

namespace sdfleet::pipeline {

namespace {

HostTensor first_row(const at::Tensor& batch)
{
    return batch.defined() ? to_host(batch.squeeze(0)) : HostTensor();
}

UNetConditions conditions_of(const PictureParameters& parameters, const TextConditioning& positive,
                             const std::optional<TextConditioning>& negative)
{
    UNetConditions conditions;
    conditions.text = negative ? at::cat({negative->embeds, positive.embeds}) : positive.embeds;
    if (positive.pooled.defined()) {
        conditions.pooled = negative ? at::cat({negative->pooled, positive.pooled}) : positive.pooled;
    }
    // The whole of a picture of this very size.
    const double height = parameters.height;
    const double width = parameters.width;
    conditions.time_ids = {height, width, 0, 0, height, width};
    conditions.guidance_scale = parameters.guidance_scale;
    return conditions;
}

std::map<LoraTarget, LoraFuser::Parameters> parameters_by_model(const PipelineParts& parts)
{
    std::map<LoraTarget, LoraFuser::Parameters> models{
        {LoraTarget::unet, parts.unet.parameters()},
        {LoraTarget::text_encoder, parts.prompts.encoders().front().model.parameters()}};
    if (parts.prompts.encoders().size() > 1) {
        models[LoraTarget::text_encoder_2] = parts.prompts.encoders()[1].model.parameters();
    }
    return models;
}

base::Result<void> check_prompt_lengths(const PromptEncoder& prompts, const GenerateRequest& request)
{
    for (const auto* texts : {&request.prompts, &request.negative_prompts}) {
        for (const std::string& text : *texts) {
            const std::size_t chunks = prompts.count_chunks(text, request.prompt_syntax);
            if (chunks > max_prompt_chunks) {
                return base::fail(base::ExitCode::usage, "a prompt fills " + std::to_string(chunks) +
                                                             " chunks of tokens; the limit is " +
                                                             std::to_string(max_prompt_chunks));
            }
        }
    }
    return {};
}

} // namespace

void PictureText::keep_in(Picture& picture) const
{
    picture.prompt_embeds = first_row(positive.embeds);
    picture.pooled_prompt_embeds = first_row(positive.pooled);
    if (negative) {
        picture.negative_prompt_embeds = first_row(negative->embeds);
        picture.negative_pooled_prompt_embeds = first_row(negative->pooled);
    }
}

LoadedPipeline::LoadedPipeline(PipelineParts parts, std::string model)
    : PipelineParts(std::move(parts)), model_name(std::move(model)), dtype_name(pipeline::dtype_name(options)),
      loras(parameters_by_model(*this))
{
}

base::Result<std::unique_ptr<Scheduler>> LoadedPipeline::make_steps(const GenerateRequest& request) const
{
    // The published inpainting pipeline repairs old configs in its own way.
    const bool inpaints = request.mask_image && repairs == FileRepairs::stable_diffusion;
    return scheduler.make(request.scheduler, request.num_inference_steps, inpaints ? FileRepairs::inpainting : repairs);
}

std::shared_ptr<const LinearSchedule> LoadedPipeline::linear_schedule(const GenerateRequest& request, std::size_t first)
{
    constexpr std::size_t max_known = 16;
    const std::tuple key(request.scheduler, request.num_inference_steps, request.mask_image != nullptr, first);
    const auto known = std::ranges::find(known_schedules_, key, &KnownSchedule::key);
    if (known != known_schedules_.end()) {
        return known->schedule;
    }
    std::shared_ptr<const LinearSchedule> schedule;
    if (const auto probe = make_steps(request)) {
        (*probe)->begin_at(first);
        if (auto derived = LinearSchedule::derive(**probe, first)) {
            schedule = std::make_shared<const LinearSchedule>(std::move(*derived));
        }
    }
    known_schedules_.push_front({key, schedule});
    if (known_schedules_.size() > max_known) {
        known_schedules_.pop_back();
    }
    return schedule;
}

/// Without a size of its own a picture from an image has the image's, cut to what can be drawn.
PictureSize LoadedPipeline::size_of(const GenerateRequest& request) const
{
    const auto whole = [multiple = side_multiple()](int side) { return side - side % multiple; };
    const InputImage* image = request.init_image.get();
    const auto [height, width] = unet.config().sample_size;
    const auto factor = vae.config().scale_factor();
    return {request.width.value_or(image != nullptr ? whole(image->width) : static_cast<int>(width * factor)),
            request.height.value_or(image != nullptr ? whole(image->height) : static_cast<int>(height * factor))};
}

void LoadedPipeline::forget_recordings()
{
    if (fast) {
        fast->steps.clear();
    }
    vae.forget_recordings();
    prompts.forget_recordings();
    release_cached_memory(options.device());
}

int LoadedPipeline::side_multiple() const
{
    return static_cast<int>(std::lcm<std::int64_t>(8, vae.config().scale_factor()));
}

std::vector<std::int64_t> LoadedPipeline::latent_shape(const PictureParameters& parameters) const
{
    const std::int64_t factor = vae.config().scale_factor();
    return {1, vae.config().latent_channels, parameters.height / factor, parameters.width / factor};
}

base::Result<void> LoadedPipeline::check(const GenerateRequest& request) const
{
    GenerateRequest sized = request;
    const PictureSize size = size_of(request);
    sized.height = size.height;
    sized.width = size.width;
    if (unet.config().takes_mask() && !request.mask_image) {
        return base::fail(base::ExitCode::usage,
                          model_name + " only fills in a part of an image: it needs an init image and a mask");
    }
    if (request.clip_skip.value_or(0) > prompts.max_clip_skip()) {
        return base::fail(base::ExitCode::usage, "clip skip is " + std::to_string(*request.clip_skip) +
                                                     "; the text encoder of " + model_name + " allows at most " +
                                                     std::to_string(prompts.max_clip_skip()));
    }
    return check_request(sized, side_multiple())
        .and_then([&] { return check_prompt_lengths(prompts, request); })
        .and_then([&] { return make_steps(request).map([](const auto&) {}); });
}

base::Result<PictureParameters> LoadedPipeline::common_parameters(const GenerateRequest& request)
{
    const auto uses = loras.apply(request.loras);
    if (!uses) {
        return tl::unexpected(uses.error());
    }
    PictureParameters parameters;
    parameters.steps = request.num_inference_steps;
    parameters.guidance_scale = request.guidance_scale;
    parameters.prompt_syntax = request.prompt_syntax;
    parameters.clip_skip = request.clip_skip;
    const PictureSize size = size_of(request);
    parameters.height = size.height;
    parameters.width = size.width;
    parameters.scheduler = request.scheduler.empty() ? scheduler.own_name() : request.scheduler;
    parameters.model_name = model_name;
    parameters.dtype = dtype_name;
    parameters.loras = *uses;
    if (request.init_image) {
        parameters.init_image_sha256 = request.init_image->sha256;
        parameters.strength = strength_of(request);
    }
    if (request.mask_image) {
        parameters.mask_image_sha256 = request.mask_image->sha256;
        parameters.keep_unmasked = request.keep_unmasked;
    }
    return parameters;
}

PictureParameters LoadedPipeline::parameters_of(PictureParameters common, const GenerateRequest& request,
                                                std::size_t index) const
{
    common.prompt = request.prompts[index];
    common.negative_prompt = negative_prompt_of(request, index);
    if (!common.negative_prompt && !zeros_without_negative_prompt) {
        common.negative_prompt = ""; // the same to this model
    }
    common.seed = request.seeds[index];
    return common;
}

base::Result<std::shared_ptr<const EncodedImages>> LoadedPipeline::encode(const GenerateRequest& request)
{
    if (!request.init_image) {
        return nullptr;
    }
    try {
        if (!encoder) {
            // bf16 decodes well, but what is encoded is drawn on from: that is worth fp32.
            const auto own = vae.options().dtype() == at::kBFloat16 && options.dtype() != at::kBFloat16
                                 ? options.dtype(at::kFloat)
                                 : vae.options();
            auto loaded = AutoencoderEncoder::load(vae.config(), vae.weights(), own);
            if (!loaded) {
                return tl::unexpected(loaded.error());
            }
            encoder = std::move(*loaded);
        }
        // Fast mode's samples are fp32 whatever the model's type is.
        const auto of_samples = fast ? options.dtype(at::kFloat) : options;
        return std::make_shared<const EncodedImages>(
            encode_images(request, size_of(request), *encoder, unet.config().takes_mask(), of_samples));
    } catch (const std::exception& error) {
        return base::fail(base::ExitCode::failed, "encoding the image failed: " + first_line(error.what()));
    }
}

std::size_t LoadedPipeline::text_chunks(const PictureParameters& parameters) const
{
    return std::max(prompts.count_chunks(parameters.prompt, parameters.prompt_syntax),
                    prompts.count_chunks(parameters.negative_prompt.value_or(""), parameters.prompt_syntax));
}

PictureText LoadedPipeline::encode_text(const PictureParameters& parameters) const
{
    const std::size_t chunks = text_chunks(parameters);
    PictureText text;
    text.positive =
        prompts.encode(parameters.prompt, {parameters.prompt_syntax, parameters.clip_skip.value_or(0), chunks});
    if (is_guided(parameters.guidance_scale)) {
        // The published pipelines leave no layers out here, whatever clip_skip says.
        text.negative = parameters.negative_prompt
                            ? prompts.encode(*parameters.negative_prompt, {parameters.prompt_syntax, 0, chunks})
                            : zeros_like(text.positive);
    }
    text.conditions = conditions_of(parameters, text.positive, text.negative);
    return text;
}

std::size_t first_call(const GenerateRequest& request, const Scheduler& steps)
{
    const int left_out = request.num_inference_steps - steps_to_draw(request);
    return static_cast<std::size_t>(left_out * steps.order());
}

HostTensor to_host(const at::Tensor& tensor)
{
    if (!tensor.defined()) {
        return {};
    }
    const at::Tensor host = tensor.to(at::TensorOptions().device(at::kCPU).dtype(at::kFloat)).contiguous();
    const auto* values = host.const_data_ptr<float>();
    return HostTensor{host.sizes().vec(), std::vector<float>(values, values + host.numel())};
}

std::string first_line(std::string_view text)
{
    return std::string(text.substr(0, text.find('\n')));
}

} // namespace sdfleet::pipeline
