// SPDX-License-Identifier: Apache-2.0
#include "pipeline/diffusion_pipeline.hpp"

#include "kernels/cpu_kernels.hpp"
#include "pipeline/device_facts.hpp"
#include "pipeline/gpu_plugin.hpp"
#include "pipeline/loaded_pipeline.hpp"
#include "pipeline/model_folder.hpp"
#include "pipeline/picture_batch.hpp"
#include "pipeline/placement.hpp"
#include "pipeline/reference_drawing.hpp"

#include <algorithm>
#include <exception>
#include <map>

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

namespace sdfleet::pipeline {

namespace {

/// What fast mode needs of a device.
struct FastEngine {
    const kernels::KernelTable* kernels = nullptr;
    Recorder recorder; ///< empty on the CPU
};

VaeDtype vae_dtype(Dtype asked_for, bool fast)
{
    switch (asked_for) {
    case Dtype::fp32:
        return VaeDtype::fp32;
    case Dtype::bf16:
        return VaeDtype::bf16;
    case Dtype::fp16:
        return VaeDtype::model;
    case Dtype::automatic:
        break;
    }
    return fast ? VaeDtype::wide_range : VaeDtype::published;
}

/// Nothing for reference mode.
base::Result<std::optional<FastEngine>> engine_for(ComputeMode mode, const at::TensorOptions& options, bool record)
{
    const bool on_cpu = options.device().is_cpu();
    if (mode == ComputeMode::reference || (mode == ComputeMode::automatic && on_cpu)) {
        return std::nullopt;
    }
    if (on_cpu) {
        return FastEngine{&kernels::cpu_kernels(), {}};
    }
    return gpu_kernels().and_then([record](const kernels::KernelTable* table) {
        if (!record) {
            return base::Result<std::optional<FastEngine>>(FastEngine{table, {}});
        }
        return gpu_recorder().map([&](Recorder recorder) {
            return std::optional(FastEngine{table, std::move(recorder)});
        });
    });
}

/// Rearranges the networks for fast mode.
void make_fast(LoadedPipeline& model, const FastEngine& engine, bool tune)
{
    // The first call for a size tries the library's convolution algorithms and keeps the fastest.
    at::globalContext().setBenchmarkCuDNN(tune);
    const FusedOperators ops(*engine.kernels, tune);
    model.fast = std::make_unique<FastNetworks>(ops, model.unet, model.options, engine.recorder);
    model.vae.make_fast(ops, engine.recorder);
    model.prompts.record_with(engine.recorder);
}

GenerateRequest picture_of(const GenerateRequest& request, std::size_t index)
{
    GenerateRequest one = request;
    one.prompts = {request.prompts[index]};
    one.seeds = {request.seeds[index]};
    const auto negative = negative_prompt_of(request, index);
    one.negative_prompts = negative ? std::vector{*negative} : std::vector<std::string>();
    return one;
}

/// Pictures in batches of request.batch_size; those that do not go together wait until the batch is empty.
base::Result<void> generate_fast(const DiffusionPipeline& pipeline, const GenerateRequest& request,
                                 const PictureCallback& on_picture, const StepCallback& on_step, int calls)
{
    PictureBatch batch(pipeline, {.max_rows = static_cast<std::size_t>(request.batch_size), .fixed = true});
    std::map<PictureBatch::RowId, std::size_t> drawn; // which picture a row is
    const int total = calls * static_cast<int>(request.prompts.size());
    int done = 0;
    for (std::size_t next = 0; next < request.prompts.size() || batch.size() > 0;) {
        while (next < request.prompts.size()) {
            const GenerateRequest one = picture_of(request, next);
            if (!batch.takes(batch.key_of(one))) {
                break;
            }
            const auto row = batch.join(one);
            if (!row) {
                return tl::unexpected(row.error());
            }
            drawn.emplace(*row, next++);
        }
        auto advance = batch.step();
        done += static_cast<int>(advance.progress.size());
        for (auto& ended : advance.ended) {
            auto taken = ended.picture.and_then(
                [&](Picture& picture) { return on_picture(drawn.at(ended.row), std::move(picture)); });
            if (!taken) {
                return taken;
            }
        }
        if (on_step && !on_step(done, total)) {
            return base::fail(base::ExitCode::interrupted, "drawing was stopped");
        }
    }
    return {};
}

base::Result<void> generate_by_reference(LoadedPipeline& model, const GenerateRequest& request,
                                         const PictureCallback& on_picture, const StepCallback& on_step, int calls)
{
    const int total = calls * static_cast<int>(request.prompts.size());
    int done = 0;
    const auto step_done = [&] {
        ++done;
        return !on_step || on_step(done, total);
    };
    const auto common = model.common_parameters(request);
    if (!common) {
        return tl::unexpected(common.error());
    }
    const auto images = model.encode(request);
    if (!images) {
        return tl::unexpected(images.error());
    }
    for (std::size_t i = 0; i < request.prompts.size(); ++i) {
        base::Result<Picture> picture;
        try {
            const auto steps = model.make_steps(request);
            const std::size_t first = first_call(request, **steps);
            (*steps)->begin_at(first);
            picture = draw_by_reference(model, model.parameters_of(*common, request, i), **steps, first, images->get(),
                                        step_done);
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

} // namespace

DiffusionPipeline::DiffusionPipeline(std::unique_ptr<LoadedPipeline> parts) : parts_(std::move(parts)) {}
DiffusionPipeline::DiffusionPipeline(DiffusionPipeline&&) noexcept = default;
DiffusionPipeline& DiffusionPipeline::operator=(DiffusionPipeline&&) noexcept = default;
DiffusionPipeline::~DiffusionPipeline() = default;

base::Result<DiffusionPipeline> DiffusionPipeline::from_pretrained(const std::filesystem::path& folder,
                                                                   const LoadOptions& options)
{
    const c10::InferenceMode inference;
    const auto placement = resolve_placement(options.device, options.dtype);
    if (!placement) {
        return tl::unexpected(placement.error());
    }
    const auto engine = engine_for(options.mode, *placement, options.record);
    if (!engine) {
        return tl::unexpected(engine.error());
    }
    try {
        const auto decoding = vae_dtype(options.vae_dtype, engine->has_value());
        return PipelineParts::load(folder, *placement, options.variant, decoding).map([&](PipelineParts&& parts) {
            auto model = std::make_unique<LoadedPipeline>(
                std::move(parts), options.model_name.empty() ? folder_name(folder) : options.model_name);
            if (*engine) {
                make_fast(*model, **engine, options.tune);
            }
            return DiffusionPipeline(std::move(model));
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

bool DiffusionPipeline::is_fast() const
{
    return parts_->fast != nullptr;
}

std::uint64_t DiffusionPipeline::peak_memory_bytes() const
{
    return device_memory(parts_->options.device()).peak_bytes;
}

std::string DiffusionPipeline::device() const
{
    return parts_->options.device().str();
}

base::Result<void> DiffusionPipeline::check(const GenerateRequest& request) const
{
    return parts_->check(request);
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
    return calls_per_picture(request).and_then([&](int calls) {
        return is_fast() ? generate_fast(*this, request, on_picture, on_step, calls)
                         : generate_by_reference(*parts_, request, on_picture, on_step, calls);
    });
}

void set_threads(int count)
{
    at::set_num_threads(std::max(count, 1));
}

} // namespace sdfleet::pipeline
