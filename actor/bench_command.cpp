// SPDX-License-Identifier: Apache-2.0
#include "actor/bench_command.hpp"

#include "base/model_path.hpp"
#include "base/program_options.hpp"
#include "pipeline/diffusion_pipeline.hpp"
#include "pipeline/picture_batch.hpp"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace sdfleet::actor {

namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* program = "actor bench";
constexpr int max_batch = 64;

struct BenchOptions {
    std::string model;
    std::string variant;
    std::string prompt = "a photograph of an astronaut riding a horse";
    std::string device = "auto";
    std::string dtype = "auto";
    std::string mode = "auto";
    std::string scheduler;
    int steps = 20;
    double guidance_scale = 7.5;
    int batch = 1;
    int repeat = 3;
    std::optional<int> width;
    std::optional<int> height;
    int threads = 1;
    bool json = false;
};

/// What one round of `batch` pictures took, in milliseconds.
struct Round {
    double wall_ms = 0;
    std::vector<double> step_ms; ///< wall time between two calls of the denoiser
    pipeline::Timings timings;   ///< of its last picture
};

double ms_since(Clock::time_point start)
{
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double percentile(std::vector<double> values, double share)
{
    if (values.empty()) {
        return 0;
    }
    std::ranges::sort(values);
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1) + 0.5)];
}

pipeline::GenerateRequest request_of(const BenchOptions& options, std::uint64_t seed)
{
    pipeline::GenerateRequest request;
    request.prompts = {options.prompt};
    request.seeds = {seed};
    request.num_inference_steps = options.steps;
    request.guidance_scale = options.guidance_scale;
    request.width = options.width;
    request.height = options.height;
    request.scheduler = options.scheduler;
    request.keep_tensors = false;
    return request;
}

/// In reference mode one after the other, which is all that it does.
base::Result<Round> draw_by_reference(const pipeline::DiffusionPipeline& model, const BenchOptions& options)
{
    Round round;
    const auto start = Clock::now();
    for (int i = 0; i < options.batch; ++i) {
        auto before = Clock::now();
        const auto drawn = model.generate(
            request_of(options, static_cast<std::uint64_t>(i)),
            [&](std::size_t, pipeline::Picture&& picture) -> base::Result<void> {
                round.timings = picture.timings;
                return {};
            },
            [&](int step, int) {
                if (step > 1) {
                    round.step_ms.push_back(ms_since(before));
                }
                before = Clock::now();
                return true;
            });
        if (!drawn) {
            return tl::unexpected(drawn.error());
        }
    }
    round.wall_ms = ms_since(start);
    return round;
}

base::Result<Round> draw_in_batch(const pipeline::DiffusionPipeline& model, const BenchOptions& options)
{
    Round round;
    const auto start = Clock::now();
    pipeline::PictureBatch batch(model, {.max_rows = static_cast<std::size_t>(options.batch)});
    for (int i = 0; i < options.batch; ++i) {
        if (const auto row = batch.join(request_of(options, static_cast<std::uint64_t>(i))); !row) {
            return tl::unexpected(row.error());
        }
    }
    for (int step = 0; batch.size() > 0; ++step) {
        const auto before = Clock::now();
        auto advance = batch.step();
        // The first is behind what prepared the pictures, the last has their decoding in it.
        if (step > 1 && advance.ended.empty()) {
            round.step_ms.push_back(ms_since(before));
        }
        for (const auto& ended : advance.ended) {
            if (!ended.picture) {
                return tl::unexpected(ended.picture.error());
            }
            round.timings = ended.picture->timings;
        }
    }
    round.wall_ms = ms_since(start);
    return round;
}

nlohmann::ordered_json report(const BenchOptions& options, const pipeline::DiffusionPipeline& model, double load_ms,
                              const Round& warmup, const std::vector<Round>& rounds)
{
    std::vector<double> step_ms;
    std::vector<double> wall_ms;
    std::vector<double> text_ms;
    std::vector<double> decode_ms;
    for (const Round& round : rounds) {
        step_ms.insert(step_ms.end(), round.step_ms.begin(), round.step_ms.end());
        wall_ms.push_back(round.wall_ms);
        text_ms.push_back(round.timings.text_ms);
        decode_ms.push_back(round.timings.decode_ms);
    }
    const double end_to_end_ms = percentile(wall_ms, 0.5);
    return {{"model", model.model_name()},
            {"device", model.device()},
            {"mode", model.is_fast() ? "fast" : "reference"},
            {"batch", options.batch},
            {"steps", options.steps},
            {"width", options.width.value_or(model.default_width())},
            {"height", options.height.value_or(model.default_height())},
            {"load_ms", load_ms},
            {"warmup_ms", warmup.wall_ms},
            {"text_encoder_ms", percentile(text_ms, 0.5)},
            {"step_ms", {{"p50", percentile(step_ms, 0.5)}, {"p95", percentile(step_ms, 0.95)}}},
            {"vae_decode_ms", percentile(decode_ms, 0.5)},
            {"end_to_end_ms", end_to_end_ms},
            {"images_per_s", 1000.0 * options.batch / end_to_end_ms},
            {"peak_memory_bytes", model.peak_memory_bytes()}};
}

void print_lines(const nlohmann::ordered_json& report)
{
    for (const auto& [key, value] : report.items()) {
        std::cout << key << ": " << (value.is_string() ? value.get<std::string>() : value.dump()) << '\n';
    }
}

base::Result<void> bench(const BenchOptions& options)
{
    const auto dtype = pipeline::parse_dtype(options.dtype);
    if (!dtype) {
        return tl::unexpected(dtype.error());
    }
    const auto mode = pipeline::parse_compute_mode(options.mode);
    if (!mode) {
        return tl::unexpected(mode.error());
    }
    pipeline::set_threads(options.threads);
    const auto folder = base::find_model_folder(options.model);
    if (!folder) {
        return tl::unexpected(folder.error());
    }
    const auto start = Clock::now();
    const auto model =
        pipeline::DiffusionPipeline::from_pretrained(*folder, {options.device, *dtype, options.variant, {}, *mode});
    if (!model) {
        return tl::unexpected(model.error());
    }
    const double load_ms = ms_since(start);
    if (auto fine = model->check(request_of(options, 0)); !fine) {
        return fine;
    }
    const auto draw = [&] {
        return model->is_fast() ? draw_in_batch(*model, options) : draw_by_reference(*model, options);
    };
    const auto warmup = draw();
    if (!warmup) {
        return tl::unexpected(warmup.error());
    }
    std::vector<Round> rounds;
    for (int i = 0; i < options.repeat; ++i) {
        auto round = draw();
        if (!round) {
            return tl::unexpected(round.error());
        }
        rounds.push_back(std::move(*round));
    }
    const auto result = report(options, *model, load_ms, *warmup, rounds);
    if (options.json) {
        std::cout << result.dump() << '\n';
    } else {
        print_lines(result);
    }
    std::cout.flush();
    return {};
}

} // namespace

void add_bench_command(CLI::App& app, std::function<base::ExitCode()>& run)
{
    CLI::App* command = app.add_subcommand("bench", "Measure how fast this device draws, part by part");
    const auto o = std::make_shared<BenchOptions>();
    command->add_option("--model", o->model, "Model folder in diffusers layout, or ORG/NAME in the Hugging Face cache")
        ->required();
    command->add_option("--variant", o->variant, "Weight files to prefer, such as fp16");
    command->add_option("--prompt", o->prompt, "What to draw")->capture_default_str();
    command->add_option("--steps", o->steps, "Denoising steps")->capture_default_str();
    command->add_option("--guidance-scale", o->guidance_scale, "Up to 1: no guidance, half the work")
        ->capture_default_str();
    command->add_option("--scheduler", o->scheduler, "Default: the model's own");
    command->add_option("--batch", o->batch, "Pictures drawn together; in reference mode one after the other")
        ->check(CLI::Range(1, max_batch))
        ->capture_default_str();
    command->add_option("--repeat", o->repeat, "Rounds that are measured, behind one that is not")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    command->add_option("--height", o->height, "Pixels (default: the model's own)");
    command->add_option("--width", o->width, "Pixels (default: the model's own)");
    command->add_option("--device", o->device, "auto, cpu or cuda:N")->capture_default_str();
    command->add_option("--dtype", o->dtype, "auto, fp32, fp16 or bf16")->capture_default_str();
    command->add_option("--mode", o->mode, "auto, reference or fast")->capture_default_str();
    command->add_option("--threads", o->threads, "Threads that draw one picture")
        ->check(CLI::Range(1, 1024))
        ->capture_default_str();
    command->add_flag("--json", o->json, "One JSON object instead of lines");
    command->callback([&run, o] {
        run = [o] {
            const auto done = bench(*o);
            return done ? base::ExitCode::ok : base::report(program, done.error());
        };
    });
}

} // namespace sdfleet::actor
