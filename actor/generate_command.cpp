// SPDX-License-Identifier: Apache-2.0
#include "actor/generate_command.hpp"

#include "base/atomic_file.hpp"
#include "base/model_path.hpp"
#include "base/program_options.hpp"
#include "base/sha256.hpp"
#include "pipeline/diffusion_pipeline.hpp"
#include "pipeline/png_image.hpp"
#include "pipeline/png_reader.hpp"
#include "pipeline/scheduler_names.hpp"
#include "pipeline/tensor_dump.hpp"

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace sdfleet::actor {

namespace {

struct GenerateOptions {
    std::string model;
    std::string variant;
    std::filesystem::path out;
    std::filesystem::path dump_tensors; ///< empty: none
    std::vector<std::string> prompts;
    std::optional<std::string> negative_prompt; ///< "" is not always the same as none
    std::uint64_t seed = 0;
    int steps = 50;
    double guidance_scale = 7.5;
    std::optional<int> height; ///< absent: the model's own
    std::optional<int> width;
    std::string scheduler;
    std::string prompt_syntax = "plain";
    std::optional<int> clip_skip;
    std::filesystem::path init_image; ///< empty: none
    std::filesystem::path mask_image; ///< empty: none
    std::optional<double> strength;
    bool keep_unmasked = true;
    std::vector<std::string> loras; ///< FILE or FILE:WEIGHT
    std::string device = "auto";
    std::string dtype = "auto";
    std::string mode = "auto";
    std::string vae_dtype = "auto";
    bool tune = true;
    bool graphs = true;
    int batch_size = 1;
    int threads = 1;
    bool json = false;
};

/// Null for an empty path.
base::Result<std::shared_ptr<const pipeline::InputImage>> read_image(const std::filesystem::path& path)
{
    if (path.empty()) {
        return nullptr;
    }
    return pipeline::read_png(path).map([](pipeline::InputImage&& image) {
        return std::shared_ptr<const pipeline::InputImage>(std::make_shared<pipeline::InputImage>(std::move(image)));
    });
}

base::Result<pipeline::GenerateRequest> to_request(const GenerateOptions& options)
{
    auto init_image = read_image(options.init_image);
    if (!init_image) {
        return tl::unexpected(init_image.error());
    }
    auto mask_image = read_image(options.mask_image);
    if (!mask_image) {
        return tl::unexpected(mask_image.error());
    }
    pipeline::GenerateRequest request;
    request.prompts = options.prompts;
    if (options.negative_prompt) {
        request.negative_prompts = {*options.negative_prompt};
    }
    for (std::size_t i = 0; i < options.prompts.size(); ++i) {
        request.seeds.push_back(options.seed + i);
    }
    request.num_inference_steps = options.steps;
    request.guidance_scale = options.guidance_scale;
    request.height = options.height;
    request.width = options.width;
    request.scheduler = options.scheduler;
    request.clip_skip = options.clip_skip;
    request.init_image = std::move(*init_image);
    request.mask_image = std::move(*mask_image);
    request.strength = options.strength;
    request.keep_unmasked = options.keep_unmasked;
    request.batch_size = options.batch_size;
    request.keep_tensors = !options.dump_tensors.empty();
    for (const std::string& lora : options.loras) {
        request.loras.push_back(pipeline::parse_lora_choice(lora));
    }
    return request;
}

std::string file_name(std::size_t index, std::uint64_t seed)
{
    char name[48];
    std::snprintf(name, sizeof(name), "%06zu-%llu.png", index, static_cast<unsigned long long>(seed));
    return name;
}

constexpr const char* program = "actor generate";

/// The folder for the pictures, made where it is missing, before any time goes into loading a model.
base::Result<void> make_folder(const std::filesystem::path& folder)
{
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
        return base::fail(base::ExitCode::failed,
                          "cannot make the output folder " + folder.string() + ": " + error.message());
    }
    return {};
}

/// Writes the pictures of one request as they are drawn.
class PictureWriter {
public:
    explicit PictureWriter(const GenerateOptions& options) : options_(options) {}

    base::Result<void> write(std::size_t index, const pipeline::Picture& picture)
    {
        const auto png = pipeline::encode_picture_png(picture.rgb, picture.parameters);
        if (!png) {
            return tl::unexpected(png.error());
        }
        const auto path = options_.out / file_name(index, picture.parameters.seed);
        if (auto written = base::write_file_atomically(path, *png); !written) {
            return written;
        }
        if (!options_.dump_tensors.empty()) {
            dump_.add(picture);
        }
        report(index, picture, path, base::sha256_hex(*png));
        return {};
    }

    base::Result<void> finish() const
    {
        if (options_.json) {
            std::cout << nlohmann::ordered_json{{"pictures", pictures_}}.dump() << '\n';
        }
        std::cout.flush();
        return options_.dump_tensors.empty()
                   ? base::Result<void>{}
                   : base::write_file_atomically(options_.dump_tensors, dump_.to_safetensors());
    }

private:
    void report(std::size_t index, const pipeline::Picture& picture, const std::filesystem::path& path,
                const std::string& sha256)
    {
        const auto& timings = picture.timings;
        const double ms = timings.text_ms + timings.denoise_ms + timings.decode_ms;
        if (!options_.json) {
            std::cout << path.string() << "  " << std::lround(ms) << " ms  " << picture.parameters.prompt << std::endl;
            return;
        }
        pictures_.push_back({{"index", index},
                             {"prompt", picture.parameters.prompt},
                             {"seed", picture.parameters.seed},
                             {"file", path.string()},
                             {"sha256", sha256},
                             {"ms", ms},
                             {"text_ms", timings.text_ms},
                             {"denoise_ms", timings.denoise_ms},
                             {"decode_ms", timings.decode_ms}});
    }

    const GenerateOptions& options_;
    pipeline::TensorDump dump_;
    nlohmann::ordered_json pictures_ = nlohmann::ordered_json::array();
};

base::Result<void> draw(const GenerateOptions& options)
{
    auto request = to_request(options);
    if (!request) {
        return tl::unexpected(request.error());
    }
    const auto syntax = pipeline::parse_prompt_syntax(options.prompt_syntax);
    if (!syntax) {
        return tl::unexpected(syntax.error());
    }
    request->prompt_syntax = *syntax;
    const auto dtype = pipeline::parse_dtype(options.dtype);
    if (!dtype) {
        return tl::unexpected(dtype.error());
    }
    const auto mode = pipeline::parse_compute_mode(options.mode);
    if (!mode) {
        return tl::unexpected(mode.error());
    }
    const auto vae_dtype = pipeline::parse_dtype(options.vae_dtype);
    if (!vae_dtype) {
        return tl::unexpected(vae_dtype.error());
    }
    if (options.threads < 1 || options.threads > 1024) {
        return base::fail(base::ExitCode::usage, "threads must be from 1 to 1024");
    }
    // What is wrong whatever the model, before the model is loaded.
    constexpr int side_multiple = 8;
    if (auto fine = pipeline::check_request(*request, side_multiple); !fine) {
        return fine;
    }
    if (auto made = make_folder(options.out); !made) {
        return made;
    }
    pipeline::set_threads(options.threads);
    const auto folder = base::find_model_folder(options.model);
    if (!folder) {
        return tl::unexpected(folder.error());
    }
    const std::string name = *folder == options.model ? "" : base::repository_name(options.model);
    const auto model = pipeline::DiffusionPipeline::from_pretrained(
        *folder, {options.device, *dtype, options.variant, name, *mode, options.tune, *vae_dtype, options.graphs});
    if (!model) {
        return tl::unexpected(model.error());
    }
    PictureWriter writer(options);
    return model
        ->generate(*request, [&](std::size_t i, pipeline::Picture&& picture) { return writer.write(i, picture); })
        .and_then([&] { return writer.finish(); });
}

base::ExitCode generate(const GenerateOptions& options)
{
    const auto drawn = draw(options);
    return drawn ? base::ExitCode::ok : base::report(program, drawn.error());
}

void add_image_options(CLI::App& command, GenerateOptions& o)
{
    command.add_option("--init-image", o.init_image, "PNG file to start from; scaled where the size differs");
    command.add_option("--strength", o.strength,
                       "How far to go from the init image, up to 1; of the steps as many are drawn (default: 0.8, with "
                       "a mask 1)");
    command.add_option("--mask-image", o.mask_image, "PNG file; white: draw this part anew, black: keep it");
    command
        .add_option("--inpaint-overlay", o.keep_unmasked,
                    "on: pixels outside the mask are the init image's own; off: as the model decodes them")
        ->transform(CLI::CheckedTransformer(std::map<std::string, bool>{{"on", true}, {"off", false}}))
        ->default_str("on");
}

constexpr const char* examples = R"(Examples:
  actor generate --model models/tiny-shapes --prompt "a red circle" --out out
  From an image, keeping where things are:
    actor generate --model models/tiny-shapes --prompt "a blue circle" --init-image red.png --strength 0.7 --out out
  With a LoRA, or several:
    actor generate --model models/tiny-shapes --prompt "a red circle" --lora models/tiny-outline/outline.safetensors:0.8 --out out
  Only the white part of a mask:
    actor generate --model models/tiny-shapes --prompt "a green square" --init-image red.png --mask-image mask.png --out out)";

} // namespace

void add_generate_command(CLI::App& app, std::function<base::ExitCode()>& run)
{
    // CLI11 would take -1 for the largest number.
    const auto not_negative = [](const std::string& text) {
        return std::string(text.starts_with('-') ? "a seed is a whole number from 0 up" : "");
    };
    CLI::App* command = app.add_subcommand("generate", "Draw pictures here and now, with no daemon running");
    const auto o = std::make_shared<GenerateOptions>();
    command->add_option("--model", o->model, "Model folder in diffusers layout, or ORG/NAME in the Hugging Face cache")
        ->required();
    command->add_option("--variant", o->variant, "Weight files to prefer, such as fp16");
    command->add_option("--prompt", o->prompts, "What to draw; one picture per prompt")->required();
    command->add_option("--negative-prompt", o->negative_prompt, "What to stay away from");
    command->add_option("--seed", o->seed, "Of the first picture; the next ones count up")
        ->check(not_negative)
        ->capture_default_str();
    command->add_option("--steps", o->steps, "Denoising steps")->capture_default_str();
    command->add_option("--guidance-scale", o->guidance_scale, "How closely to follow the prompt; up to 1: no guidance")
        ->capture_default_str();
    command->add_option("--height", o->height,
                        "Pixels, a multiple of 8 (default: the init image's, or the model's own)");
    command->add_option("--width", o->width, "Pixels, a multiple of 8 (default: the init image's, or the model's own)");
    command->add_option("--scheduler", o->scheduler,
                        pipeline::listed_scheduler_names() + " (default: the model's own)");
    command
        ->add_option("--prompt-syntax", o->prompt_syntax,
                     "plain, or a1111: (emphasis:1.2), [less], BREAK, and prompts of any length")
        ->capture_default_str();
    command->add_option("--clip-skip", o->clip_skip, "Layers that the text encoder leaves out at its end (default: 0)");
    add_image_options(*command, *o);
    command->add_option("--lora", o->loras, "LoRA file, FILE or FILE:WEIGHT; may be given up to 16 times")
        ->type_name("FILE[:WEIGHT]")
        ->allow_extra_args(false);
    command->add_option("--device", o->device, "auto, cpu or cuda:N")->capture_default_str();
    command->add_option("--dtype", o->dtype, "auto, fp32, fp16 or bf16")->capture_default_str();
    command
        ->add_option("--mode", o->mode,
                     "fast (own kernels), reference (LibTorch's operators in diffusers' order), or auto: fast on a GPU")
        ->capture_default_str();
    command
        ->add_option(
            "--vae-dtype", o->vae_dtype,
            "auto, fp32, bf16 or fp16 (the model's own type): of the decoder. auto: the model's, except for one "
            "that overflows in fp16")
        ->capture_default_str();
    command
        ->add_option("--batch-size", o->batch_size,
                     "In fast mode, how many pictures are drawn together; each is the same whatever the others are")
        ->check(CLI::Range(1, pipeline::max_batch_size))
        ->capture_default_str();
    command
        ->add_flag("--graphs,!--no-graphs", o->graphs,
                   "On a GPU in fast mode, replay recorded work (default); --no-graphs: launch kernel by kernel")
        ->default_str("true");
    command
        ->add_flag("--tune,!--no-tune", o->tune,
                   "On a GPU, measure which of the library's algorithms is the fastest (default); --no-tune: the same "
                   "bits in every run")
        ->default_str("true");
    command->add_option("--threads", o->threads, "Threads that draw one picture")->capture_default_str();
    command->add_option("--out", o->out, "Folder for the pictures, <index>-<seed>.png")->required();
    command->add_option("--dump-tensors", o->dump_tensors, "Also write embeddings, latents and pixels to this file");
    command->add_flag("--json", o->json, "One JSON document instead of a line per picture");
    command->footer(examples);
    command->callback([&run, o] { run = [o] { return generate(*o); }; });
}

} // namespace sdfleet::actor
