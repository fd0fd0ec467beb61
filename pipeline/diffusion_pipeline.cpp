// SPDX-License-Identifier: Apache-2.0
#include "pipeline/diffusion_pipeline.hpp"

#include "pipeline/autoencoder_kl.hpp"
#include "pipeline/clip_text_model.hpp"
#include "pipeline/clip_tokenizer.hpp"
#include "pipeline/lora_fuser.hpp"
#include "pipeline/model_folder.hpp"
#include "pipeline/placement.hpp"
#include "pipeline/scheduler.hpp"
#include "pipeline/unet_2d_condition.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <numeric>
#include <optional>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

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

/// Each part may be sound and the whole still not: sizes that must agree between the parts' configs.
base::Result<void> check_parts_fit(const std::filesystem::path& folder, const ClipTokenizer& tokenizer,
                                   const ClipTextConfig& text, const UNetConfig& unet, const AutoencoderConfig& vae)
{
    const char* wrong =
        tokenizer.max_length() > text.max_position_embeddings
            ? "the tokenizer's model_max_length exceeds the text encoder's max_position_embeddings"
        : tokenizer.largest_id() >= text.vocab_size ? "the tokenizer has ids beyond the text encoder's vocab_size"
        : unet.cross_attention_dim != text.hidden_size
            ? "the unet's cross_attention_dim is not the text encoder's hidden_size"
        : unet.in_channels != vae.latent_channels ? "the unet's in_channels is not the vae's latent_channels"
                                                  : nullptr;
    return wrong == nullptr
               ? base::Result<void>{}
               : base::fail(base::ExitCode::bad_input, folder.string() + ": its parts do not fit: " + wrong);
}

/// Noise is drawn for one picture alone, on the CPU and in fp32, wherever the model runs: the same on every machine.
at::Tensor draw_noise(std::uint64_t seed, at::IntArrayRef shape)
{
    constexpr std::uint64_t low_32_bits = 0xffffffff; // what the generator uses of a seed
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed & low_32_bits);
    return at::randn(shape, generator, at::TensorOptions().dtype(at::kFloat));
}

} // namespace

struct DiffusionPipeline::Parts {
    std::string model_name;
    std::string dtype_name;
    at::TensorOptions options; ///< device and type of the weights and of all that flows between them
    ClipTokenizer tokenizer;
    ClipTextModel text_encoder;
    UNet2DConditionModel unet;
    AutoencoderKL vae;
    SchedulerConfig scheduler;
    LoraFuser loras; ///< what is in the models' parameters besides their own values

    at::Tensor encode_prompt(const std::string& prompt) const
    {
        const auto ids = at::tensor(tokenizer.encode(prompt), at::TensorOptions().dtype(at::kLong)).unsqueeze(0);
        return text_encoder.forward(ids.to(options.device()));
    }

    std::optional<Picture> draw(const PictureParameters& parameters, Scheduler& steps,
                                const std::function<bool()>& step_done) const;
    int side_multiple() const
    {
        // 8 whatever the autoencoder: what the published pipelines ask for.
        return static_cast<int>(std::lcm<std::int64_t>(8, vae.config().scale_factor()));
    }
};

/// Nothing when `step_done` said stop.
std::optional<Picture> DiffusionPipeline::Parts::draw(const PictureParameters& parameters, Scheduler& steps,
                                                      const std::function<bool()>& step_done) const
{
    Picture picture;
    picture.parameters = parameters;
    const bool guided = parameters.guidance_scale > 1;

    // 1. text; with guidance the batch is [negative, positive]
    auto start = Clock::now();
    const at::Tensor positive = encode_prompt(parameters.prompt);
    const at::Tensor negative = guided ? encode_prompt(parameters.negative_prompt) : at::Tensor();
    const auto context = unet.encode_context(guided ? at::cat({negative, positive}) : positive);
    picture.prompt_embeds = to_host(positive.squeeze(0));
    picture.negative_prompt_embeds = to_host(guided ? negative.squeeze(0) : negative);
    picture.timings.text_ms = ms_since(start);

    // 2. noise
    start = Clock::now();
    const std::int64_t factor = vae.config().scale_factor();
    const at::Tensor noise = draw_noise(
        parameters.seed, {1, unet.config().in_channels, parameters.height / factor, parameters.width / factor});
    at::Tensor latents = noise.to(options) * steps.init_noise_sigma();

    // 3. denoising
    for (std::size_t i = 0; i < steps.timesteps().size(); ++i) {
        at::Tensor input = steps.scale_model_input(latents, i);
        if (guided) {
            input = input.expand({2, -1, -1, -1});
        }
        at::Tensor prediction = unet.forward(input, steps.timesteps()[i], context);
        if (guided) {
            const auto halves = prediction.chunk(2);
            prediction = halves[0] + parameters.guidance_scale * (halves[1] - halves[0]);
        }
        latents = steps.step(prediction, i, latents);
        if (!step_done()) {
            return std::nullopt;
        }
    }
    picture.latents = to_host(latents.squeeze(0));
    picture.timings.denoise_ms = ms_since(start);

    // 4. decoding
    start = Clock::now();
    picture.rgb = to_rgb(vae.decode(latents));
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
        auto files = ModelFolder::open(folder);
        if (!files) {
            return tl::unexpected(files.error());
        }
        // Configs first: cheap, and they say the most about what is wrong with a folder.
        auto text_config = read_clip_text_config(files->text_encoder_config);
        auto unet_config = read_unet_config(files->unet_config);
        auto vae_config = read_autoencoder_config(files->vae_config);
        auto scheduler = SchedulerConfig::read(files->scheduler_config);
        auto tokenizer = ClipTokenizer::load(files->tokenizer);
        for (const auto* error :
             {text_config ? nullptr : &text_config.error(), unet_config ? nullptr : &unet_config.error(),
              vae_config ? nullptr : &vae_config.error(), scheduler ? nullptr : &scheduler.error(),
              tokenizer ? nullptr : &tokenizer.error()}) {
            if (error != nullptr) {
                return tl::unexpected(*error);
            }
        }
        if (auto fit = check_parts_fit(folder, *tokenizer, *text_config, *unet_config, *vae_config); !fit) {
            return tl::unexpected(fit.error());
        }
        auto text_encoder = ClipTextModel::load(*text_config, files->text_encoder_weights, *tensor_options);
        if (!text_encoder) {
            return tl::unexpected(text_encoder.error());
        }
        auto unet = UNet2DConditionModel::load(*unet_config, files->unet_weights, *tensor_options);
        if (!unet) {
            return tl::unexpected(unet.error());
        }
        auto vae = AutoencoderKL::load(*vae_config, files->vae_weights, *tensor_options);
        if (!vae) {
            return tl::unexpected(vae.error());
        }
        LoraFuser loras({{LoraTarget::unet, unet->parameters()}, {LoraTarget::text_encoder, text_encoder->parameters()}});
        return DiffusionPipeline(std::make_unique<Parts>(
            Parts{options.model_name.empty() ? folder_name(folder) : options.model_name, dtype_name(*tensor_options),
                  *tensor_options, std::move(*tokenizer), std::move(*text_encoder), std::move(*unet), std::move(*vae),
                  std::move(*scheduler), std::move(loras)}));
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
    sized.height = request.height.value_or(default_height());
    sized.width = request.width.value_or(default_width());
    return check_request(sized, parts_->side_multiple()).and_then([&] {
        return calls_per_picture(request).map([](int) {});
    });
}

base::Result<int> DiffusionPipeline::calls_per_picture(const GenerateRequest& request) const
{
    return parts_->scheduler.make(request.scheduler, request.num_inference_steps)
        .map([](const std::unique_ptr<Scheduler>& steps) { return static_cast<int>(steps->timesteps().size()); });
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
    parameters.height = request.height.value_or(default_height());
    parameters.width = request.width.value_or(default_width());
    parameters.scheduler = request.scheduler.empty() ? own_scheduler() : request.scheduler;
    parameters.model_name = parts_->model_name;
    parameters.dtype = parts_->dtype_name;
    parameters.loras = *loras;
    for (std::size_t i = 0; i < request.prompts.size(); ++i) {
        parameters.prompt = request.prompts[i];
        parameters.negative_prompt = negative_prompt_of(request, i);
        parameters.seed = request.seeds[i];
        std::optional<Picture> picture;
        try {
            const auto steps = parts_->scheduler.make(request.scheduler, request.num_inference_steps);
            picture = parts_->draw(parameters, **steps, step_done);
        } catch (const std::exception& error) {
            return base::fail(base::ExitCode::failed, "drawing failed: " + first_line(error.what()));
        }
        if (!picture) {
            return base::fail(base::ExitCode::interrupted, "drawing was stopped");
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
