// SPDX-License-Identifier: Apache-2.0
#include "pipeline/pipeline_parts.hpp"

#include "pipeline/device_facts.hpp"
#include "pipeline/memory_budget.hpp"
#include "pipeline/model_folder.hpp"

#include <string>

namespace sdfleet::pipeline {

namespace {

/// A tokenizer with its text encoder, not yet in memory.
struct EncoderFiles {
    std::filesystem::path tokenizer;
    std::filesystem::path config;
    WeightFiles weights;
    TextHead head;
};

std::vector<EncoderFiles> encoder_files(const ModelFolder& files)
{
    std::vector<EncoderFiles> encoders{
        {files.tokenizer, files.text_encoder_config, files.text_encoder_weights, TextHead::none}};
    if (files.family == ModelFamily::stable_diffusion_xl) {
        encoders.push_back(
            {files.tokenizer_2, files.text_encoder_2_config, files.text_encoder_2_weights, TextHead::projection});
    }
    return encoders;
}

/// Cheap to read, and they say the most about what is wrong with a folder: all of them come before any weights.
struct Configs {
    std::vector<ClipTokenizer> tokenizers;
    std::vector<ClipTextConfig> texts;
    UNetConfig unet;
    AutoencoderConfig vae;
};

base::Result<Configs> read_configs(const ModelFolder& files)
{
    Configs configs;
    for (const EncoderFiles& encoder : encoder_files(files)) {
        const auto text = read_clip_text_config(encoder.config, encoder.head);
        if (!text) {
            return tl::unexpected(text.error());
        }
        configs.texts.push_back(*text);
    }
    auto unet = read_unet_config(files.unet_config);
    if (!unet) {
        return tl::unexpected(unet.error());
    }
    configs.unet = std::move(*unet);
    auto vae = read_autoencoder_config(files.vae_config);
    if (!vae) {
        return tl::unexpected(vae.error());
    }
    configs.vae = std::move(*vae);
    for (const EncoderFiles& encoder : encoder_files(files)) {
        auto tokenizer = ClipTokenizer::load(encoder.tokenizer);
        if (!tokenizer) {
            return tl::unexpected(tokenizer.error());
        }
        configs.tokenizers.push_back(std::move(*tokenizer));
    }
    return configs;
}

/// What is wrong between the text encoders and their tokenizers; empty: nothing.
std::string misfit_of_texts(const Configs& configs)
{
    for (std::size_t i = 0; i < configs.texts.size(); ++i) {
        const std::string suffix = i == 0 ? "" : "_2";
        const ClipTokenizer& tokenizer = configs.tokenizers[i];
        if (tokenizer.max_length() > configs.texts[i].max_position_embeddings) {
            return "the model_max_length of tokenizer" + suffix +
                   " exceeds the max_position_embeddings of text_encoder" + suffix;
        }
        if (tokenizer.largest_id() >= configs.texts[i].vocab_size) {
            return "tokenizer" + suffix + " has ids beyond the vocab_size of text_encoder" + suffix;
        }
        if (tokenizer.max_length() != configs.tokenizers.front().max_length()) {
            return "the two tokenizers differ in model_max_length";
        }
    }
    return {};
}

/// The same of the unet with what it is conditioned on.
std::string misfit_of_unet(const Configs& configs, ModelFamily family)
{
    const UNetConfig& unet = configs.unet;
    std::int64_t text_width = 0;
    for (const ClipTextConfig& text : configs.texts) {
        text_width += text.hidden_size;
    }
    if (unet.cross_attention_dim != text_width) {
        return "the unet's cross_attention_dim is not the hidden_size of the text encoder (of both together)";
    }
    if (unet.out_channels != configs.vae.latent_channels) {
        return "the unet's out_channels is not the vae's latent_channels";
    }
    if (unet.text_time != (family == ModelFamily::stable_diffusion_xl)) {
        return "an addition_embed_type of text_time in the unet and a StableDiffusionXLPipeline go together";
    }
    constexpr std::int64_t time_ids = 6;
    if (unet.text_time && unet.projection_class_embeddings_input_dim !=
                              configs.texts.back().projection_dim + time_ids * unet.addition_time_embed_dim) {
        return "the unet's projection_class_embeddings_input_dim is not the projection_dim of text_encoder_2 plus 6 "
               "times addition_time_embed_dim";
    }
    if (family == ModelFamily::latent_consistency && unet.time_cond_proj_dim == 0) {
        return "a LatentConsistencyModelPipeline needs a unet with time_cond_proj_dim";
    }
    return {};
}

/// Each part may be sound and the whole still not: sizes that must agree between the parts' configs.
base::Result<void> check_parts_fit(const std::filesystem::path& folder, const Configs& configs, ModelFamily family)
{
    std::string wrong = misfit_of_texts(configs);
    if (wrong.empty()) {
        wrong = misfit_of_unet(configs, family);
    }
    return wrong.empty() ? base::Result<void>{}
                         : base::fail(base::ExitCode::bad_input, folder.string() + ": its parts do not fit: " + wrong);
}

base::Result<PromptEncoder> load_prompt_encoder(const ModelFolder& files, Configs& configs, at::TensorOptions options)
{
    std::vector<PromptEncoder::Encoder> encoders;
    const auto all = encoder_files(files);
    for (std::size_t i = 0; i < all.size(); ++i) {
        auto model = ClipTextModel::load(configs.texts[i], all[i].weights, options);
        if (!model) {
            return tl::unexpected(model.error());
        }
        encoders.push_back({std::move(configs.tokenizers[i]), std::move(*model)});
    }
    return PromptEncoder(std::move(encoders));
}

/// Only the pipeline of SDXL heeds force_upcast, and only in fp16: the type whose range its decoder leaves.
at::ScalarType vae_type(const Configs& configs, ModelFamily family, const at::TensorOptions& options, VaeDtype dtype)
{
    const auto own = c10::typeMetaToScalarType(options.dtype());
    const bool overflows = family == ModelFamily::stable_diffusion_xl && configs.vae.force_upcast && own == at::kHalf;
    switch (dtype) {
    case VaeDtype::fp32:
        return at::kFloat;
    case VaeDtype::bf16:
        return at::kBFloat16;
    case VaeDtype::model:
        return own;
    case VaeDtype::wide_range:
        return overflows ? at::kBFloat16 : own;
    case VaeDtype::published:
        break;
    }
    return overflows ? at::kFloat : own;
}

/// Before gigabytes are read. The CPU's memory is no fixed amount: what is free there depends on what the system gives up.
base::Result<void> check_budget(const ModelFolder& files, const Configs& configs, const at::TensorOptions& options,
                                at::ScalarType vae_type)
{
    if (options.device().is_cpu()) {
        return {};
    }
    const auto own = at::elementSize(c10::typeMetaToScalarType(options.dtype()));
    const auto of_vae = at::elementSize(vae_type);
    MemoryNeed need{0, estimate_drawing_bytes(configs.unet, own, configs.vae, of_vae)};
    const auto add = [&](const WeightFiles& weights, std::size_t element_bytes) {
        return count_weight_bytes(weights, element_bytes).map([&](std::uint64_t bytes) { need.weight_bytes += bytes; });
    };
    for (const EncoderFiles& encoder : encoder_files(files)) {
        if (auto added = add(encoder.weights, own); !added) {
            return added;
        }
    }
    if (auto added = add(files.unet_weights, own); !added) {
        return added;
    }
    if (auto added = add(files.vae_weights, of_vae); !added) {
        return added;
    }
    release_cached_memory(options.device()); // a model that was here before
    const auto memory = device_memory(options.device());
    return check_memory(need, memory.free_bytes, memory.total_bytes, options.device().str());
}

} // namespace

base::Result<PipelineParts> PipelineParts::load(const std::filesystem::path& folder, at::TensorOptions options,
                                                const std::string& variant, VaeDtype vae_dtype)
{
    const auto files = ModelFolder::open(folder, variant);
    if (!files) {
        return tl::unexpected(files.error());
    }
    auto configs = read_configs(*files);
    if (!configs) {
        return tl::unexpected(configs.error());
    }
    auto scheduler = SchedulerConfig::read(files->scheduler_config);
    if (!scheduler) {
        return tl::unexpected(scheduler.error());
    }
    if (auto fit = check_parts_fit(folder, *configs, files->family); !fit) {
        return tl::unexpected(fit.error());
    }
    const auto type_of_vae = vae_type(*configs, files->family, options, vae_dtype);
    if (auto fits = check_budget(*files, *configs, options, type_of_vae); !fits) {
        return tl::unexpected(fits.error());
    }
    auto prompts = load_prompt_encoder(*files, *configs, options);
    if (!prompts) {
        return tl::unexpected(prompts.error());
    }
    auto unet = UNet2DConditionModel::load(configs->unet, files->unet_weights, options);
    if (!unet) {
        return tl::unexpected(unet.error());
    }
    auto vae = LatentDecoder::load(configs->vae, files->vae_weights, options.dtype(type_of_vae));
    if (!vae) {
        return tl::unexpected(vae.error());
    }
    const bool repaired = files->family == ModelFamily::stable_diffusion;
    return PipelineParts{options,
                         std::move(*prompts),
                         std::move(*unet),
                         std::move(*vae),
                         std::move(*scheduler),
                         repaired ? FileRepairs::stable_diffusion : FileRepairs::none,
                         files->zeros_without_negative_prompt};
}

} // namespace sdfleet::pipeline
