// SPDX-License-Identifier: Apache-2.0
#include "pipeline/diffusion_pipeline.hpp"

#include "pipeline/image_to_image.hpp"
#include "pipeline/lora_fuser.hpp"
#include "pipeline/model_folder.hpp"
#include "pipeline/pipeline_parts.hpp"
#include "pipeline/placement.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <numeric>
#include <optional>

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <c10/core/InferenceMode.h>
#include <malloc.h>

namespace sdfleet::pipeline {

namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start)
{
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
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

/// -1..1 to 0..255, halves to even: [1, 3, H, W] to H * W * 3 bytes.
std::vector<std::uint8_t> to_rgb(const at::Tensor& image)
{
    const at::Tensor unit = image.mul(0.5).add_(0.5).clamp_(0, 1).to(at::kFloat);
    const at::Tensor bytes = unit.mul_(255).round_().to(at::kByte).squeeze(0).permute({1, 2, 0}).cpu().contiguous();
    const auto* values = bytes.const_data_ptr<std::uint8_t>();
    return {values, values + bytes.numel()};
}

/// The library's messages go on with a stack trace.
std::string first_line(std::string_view text)
{
    return std::string(text.substr(0, text.find('\n')));
}

/// What the picture is drawn from, in the order of the batch: [negative, positive] with guidance, else [positive].
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

HostTensor first_row(const at::Tensor& batch)
{
    return batch.defined() ? to_host(batch.squeeze(0)) : HostTensor();
}

/// The call of `steps` that the request's pictures begin with: their strength leaves out the first steps.
std::size_t first_call(const GenerateRequest& request, const Scheduler& steps)
{
    const int left_out = request.num_inference_steps - steps_to_draw(request);
    return static_cast<std::size_t>(left_out * steps.order());
}

} // namespace

struct DiffusionPipeline::Parts : PipelineParts {
    Parts(PipelineParts parts, std::string model, std::string dtype)
        : PipelineParts(std::move(parts)), model_name(std::move(model)), dtype_name(std::move(dtype)),
          loras(parameters_by_model())
    {
    }

    std::string model_name;
    std::string dtype_name;
    LoraFuser loras;                           ///< what is in the models' parameters besides their own values
    std::optional<AutoencoderEncoder> encoder; ///< read with the first request that brings an image

    std::map<LoraTarget, LoraFuser::Parameters> parameters_by_model() const;
    base::Result<std::unique_ptr<Scheduler>> make_steps(const GenerateRequest& request) const;
    PictureSize size_of(const GenerateRequest& request) const;
    base::Result<EncodedImages> encode(const GenerateRequest& request);

    /// Nothing without guidance: a distilled model is told how much of it instead.
    std::optional<TextConditioning> encode_negative(const PictureParameters& parameters,
                                                    const TextConditioning& positive, std::size_t chunks) const;
    /// `first`: the call of `steps` to begin with; `images`: null for a picture from noise alone.
    base::Result<Picture> draw(const PictureParameters& parameters, Scheduler& steps, std::size_t first,
                               const EncodedImages* images, const std::function<bool()>& step_done);
    base::Result<void> check_prompt_lengths(const GenerateRequest& request) const;
    int side_multiple() const
    {
        // 8 whatever the autoencoder: what the published pipelines ask for.
        return static_cast<int>(std::lcm<std::int64_t>(8, vae.config().scale_factor()));
    }
};

std::optional<TextConditioning> DiffusionPipeline::Parts::encode_negative(const PictureParameters& parameters,
                                                                          const TextConditioning& positive,
                                                                          std::size_t chunks) const
{
    if (parameters.guidance_scale <= 1 || unet.config().time_cond_proj_dim > 0) {
        return std::nullopt;
    }
    // The published pipelines leave no layers out here, whatever clip_skip says.
    return parameters.negative_prompt
               ? prompts.encode(*parameters.negative_prompt, {parameters.prompt_syntax, 0, chunks})
               : zeros_like(positive);
}

base::Result<void> DiffusionPipeline::Parts::check_prompt_lengths(const GenerateRequest& request) const
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

std::map<LoraTarget, LoraFuser::Parameters> DiffusionPipeline::Parts::parameters_by_model() const
{
    std::map<LoraTarget, LoraFuser::Parameters> models{
        {LoraTarget::unet, unet.parameters()},
        {LoraTarget::text_encoder, prompts.encoders().front().model.parameters()}};
    if (prompts.encoders().size() > 1) {
        models[LoraTarget::text_encoder_2] = prompts.encoders()[1].model.parameters();
    }
    return models;
}

base::Result<std::unique_ptr<Scheduler>> DiffusionPipeline::Parts::make_steps(const GenerateRequest& request) const
{
    // The published inpainting pipeline repairs old configs in its own way.
    const bool inpaints = request.mask_image && repairs == FileRepairs::stable_diffusion;
    return scheduler.make(request.scheduler, request.num_inference_steps, inpaints ? FileRepairs::inpainting : repairs);
}

/// Without a size of its own a picture from an image has the image's, cut to what can be drawn.
PictureSize DiffusionPipeline::Parts::size_of(const GenerateRequest& request) const
{
    const auto whole = [multiple = side_multiple()](int side) { return side - side % multiple; };
    const InputImage* image = request.init_image.get();
    const auto [height, width] = unet.config().sample_size;
    const auto factor = vae.config().scale_factor();
    return {request.width.value_or(image != nullptr ? whole(image->width) : static_cast<int>(width * factor)),
            request.height.value_or(image != nullptr ? whole(image->height) : static_cast<int>(height * factor))};
}

base::Result<EncodedImages> DiffusionPipeline::Parts::encode(const GenerateRequest& request)
{
    try {
        if (!encoder) {
            auto loaded = AutoencoderEncoder::load(vae.config(), vae.weights(), vae.options());
            if (!loaded) {
                return tl::unexpected(loaded.error());
            }
            encoder = std::move(*loaded);
        }
        return encode_images(request, size_of(request), *encoder, unet.config().takes_mask(), options);
    } catch (const std::exception& error) {
        return base::fail(base::ExitCode::failed, "encoding the image failed: " + first_line(error.what()));
    }
}

base::Result<Picture> DiffusionPipeline::Parts::draw(const PictureParameters& parameters, Scheduler& steps,
                                                     std::size_t first, const EncodedImages* images,
                                                     const std::function<bool()>& step_done)
{
    Picture picture;
    picture.parameters = parameters;

    // 1. text
    auto start = Clock::now();
    const std::size_t chunks =
        std::max(prompts.count_chunks(parameters.prompt, parameters.prompt_syntax),
                 prompts.count_chunks(parameters.negative_prompt.value_or(""), parameters.prompt_syntax));
    const TextConditioning positive =
        prompts.encode(parameters.prompt, {parameters.prompt_syntax, parameters.clip_skip.value_or(0), chunks});
    const auto negative = encode_negative(parameters, positive, chunks);
    const bool guided = negative.has_value();
    const UNetContext context = unet.encode_context(conditions_of(parameters, positive, negative));
    picture.prompt_embeds = first_row(positive.embeds);
    picture.pooled_prompt_embeds = first_row(positive.pooled);
    if (negative) {
        picture.negative_prompt_embeds = first_row(negative->embeds);
        picture.negative_pooled_prompt_embeds = first_row(negative->pooled);
    }
    picture.timings.text_ms = ms_since(start);

    // 2. noise
    start = Clock::now();
    const std::int64_t factor = vae.config().scale_factor();
    NoiseSource source(parameters.seed);
    std::optional<ImageToImage> from_image;
    at::Tensor latents;
    if (images != nullptr) {
        from_image.emplace(*images, source, steps, first);
        latents = from_image->first_sample();
    } else {
        const auto unit =
            source.draw({1, vae.config().latent_channels, parameters.height / factor, parameters.width / factor});
        latents = unit.to(options) * steps.init_noise_sigma();
    }

    // 3. denoising
    for (std::size_t i = first; i < steps.timesteps().size(); ++i) {
        at::Tensor input = steps.scale_model_input(latents, i);
        if (from_image) {
            input = from_image->model_input(input);
        }
        if (guided) {
            input = input.expand({2, -1, -1, -1});
        }
        at::Tensor prediction = unet.forward(input, steps.timesteps()[i], context);
        if (guided) {
            const auto halves = prediction.chunk(2);
            prediction = halves[0] + parameters.guidance_scale * (halves[1] - halves[0]);
        }
        latents = steps.step(prediction, i, latents, source);
        if (from_image) {
            latents = from_image->hold_kept_part(latents, steps, i);
        }
        if (!step_done()) {
            return base::fail(base::ExitCode::interrupted, "drawing was stopped");
        }
    }
    picture.latents = to_host(latents.squeeze(0));
    picture.timings.denoise_ms = ms_since(start);

    // 4. decoding; what the steps left free goes back first, because the peak of memory comes now
    start = Clock::now();
    ::malloc_trim(0);
    const auto image = vae.decode(latents);
    if (!image) {
        return tl::unexpected(image.error());
    }
    picture.rgb = to_rgb(*image);
    if (images != nullptr && parameters.keep_unmasked.value_or(false)) {
        picture.decoded_rgb = picture.rgb;
        images->restore_kept_pixels(picture.rgb);
    }
    picture.timings.decode_ms = ms_since(start);
    return picture;
}

DiffusionPipeline::DiffusionPipeline(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
DiffusionPipeline::DiffusionPipeline(DiffusionPipeline&&) noexcept = default;
DiffusionPipeline& DiffusionPipeline::operator=(DiffusionPipeline&&) noexcept = default;
DiffusionPipeline::~DiffusionPipeline() = default;

base::Result<DiffusionPipeline> DiffusionPipeline::from_pretrained(const std::filesystem::path& folder,
                                                                   const LoadOptions& options)
{
    const c10::InferenceMode inference;
    const auto tensor_options = resolve_placement(options.device, options.dtype);
    if (!tensor_options) {
        return tl::unexpected(tensor_options.error());
    }
    try {
        return PipelineParts::load(folder, *tensor_options, options.variant).map([&](PipelineParts&& parts) {
            return DiffusionPipeline(std::make_unique<Parts>(
                std::move(parts), options.model_name.empty() ? folder_name(folder) : options.model_name,
                dtype_name(*tensor_options)));
        });
    } catch (const std::exception& error) {
        return base::fail(base::ExitCode::failed,
                          folder.string() + ": cannot load the model: " + first_line(error.what()));
    }
}

int DiffusionPipeline::default_height() const
{
    return static_cast<int>(parts_->unet.config().sample_size[0] * parts_->vae.config().scale_factor());
}

int DiffusionPipeline::default_width() const
{
    return static_cast<int>(parts_->unet.config().sample_size[1] * parts_->vae.config().scale_factor());
}

const std::string& DiffusionPipeline::model_name() const
{
    return parts_->model_name;
}

std::string DiffusionPipeline::own_scheduler() const
{
    return parts_->scheduler.own_name();
}

base::Result<void> DiffusionPipeline::check(const GenerateRequest& request) const
{
    GenerateRequest sized = request;
    const PictureSize size = parts_->size_of(request);
    sized.height = size.height;
    sized.width = size.width;
    if (parts_->unet.config().takes_mask() && !request.mask_image) {
        return base::fail(base::ExitCode::usage,
                          parts_->model_name + " only fills in a part of an image: it needs an init image and a mask");
    }
    if (request.clip_skip.value_or(0) > parts_->prompts.max_clip_skip()) {
        return base::fail(base::ExitCode::usage, "clip skip is " + std::to_string(*request.clip_skip) +
                                                     "; the text encoder of " + parts_->model_name +
                                                     " allows at most " +
                                                     std::to_string(parts_->prompts.max_clip_skip()));
    }
    return check_request(sized, parts_->side_multiple())
        .and_then([&] { return parts_->check_prompt_lengths(request); })
        .and_then([&] { return calls_per_picture(request).map([](int) {}); });
}

base::Result<int> DiffusionPipeline::calls_per_picture(const GenerateRequest& request) const
{
    return parts_->make_steps(request).map([&](const std::unique_ptr<Scheduler>& steps) {
        return static_cast<int>(steps->timesteps().size() - first_call(request, *steps));
    });
}

base::Result<void> DiffusionPipeline::generate(const GenerateRequest& request, const PictureCallback& on_picture,
                                               const StepCallback& on_step) const
{
    if (auto fine = check(request); !fine) {
        return fine;
    }
    const c10::InferenceMode inference;
    const auto loras = parts_->loras.apply(request.loras);
    if (!loras) {
        return tl::unexpected(loras.error());
    }
    const int total = *calls_per_picture(request) * static_cast<int>(request.prompts.size());
    int done = 0;
    const auto step_done = [&] {
        ++done;
        return !on_step || on_step(done, total);
    };
    PictureParameters parameters;
    parameters.steps = request.num_inference_steps;
    parameters.guidance_scale = request.guidance_scale;
    parameters.prompt_syntax = request.prompt_syntax;
    parameters.clip_skip = request.clip_skip;
    const PictureSize size = parts_->size_of(request);
    parameters.height = size.height;
    parameters.width = size.width;
    parameters.scheduler = request.scheduler.empty() ? own_scheduler() : request.scheduler;
    parameters.model_name = parts_->model_name;
    parameters.dtype = parts_->dtype_name;
    parameters.loras = *loras;
    std::optional<EncodedImages> images;
    if (request.init_image) {
        parameters.init_image_sha256 = request.init_image->sha256;
        parameters.strength = strength_of(request);
        if (request.mask_image) {
            parameters.mask_image_sha256 = request.mask_image->sha256;
            parameters.keep_unmasked = request.keep_unmasked;
        }
        auto encoded = parts_->encode(request);
        if (!encoded) {
            return tl::unexpected(encoded.error());
        }
        images = std::move(*encoded);
    }
    for (std::size_t i = 0; i < request.prompts.size(); ++i) {
        parameters.prompt = request.prompts[i];
        parameters.negative_prompt = negative_prompt_of(request, i);
        if (!parameters.negative_prompt && !parts_->zeros_without_negative_prompt) {
            parameters.negative_prompt = ""; // the same to this model
        }
        parameters.seed = request.seeds[i];
        base::Result<Picture> picture;
        try {
            const auto steps = parts_->make_steps(request);
            const std::size_t first = first_call(request, **steps);
            (*steps)->begin_at(first);
            picture = parts_->draw(parameters, **steps, first, images ? &*images : nullptr, step_done);
        } catch (const std::exception& error) {
            return base::fail(base::ExitCode::failed, "drawing failed: " + first_line(error.what()));
        }
        if (!picture) {
            return tl::unexpected(picture.error());
        }
        if (auto taken = on_picture(i, std::move(*picture)); !taken) {
            return taken;
        }
    }
    return {};
}

void set_threads(int count)
{
    at::set_num_threads(std::max(count, 1));
}

} // namespace sdfleet::pipeline
