// SPDX-License-Identifier: Apache-2.0
#include "pipeline/picture_batch.hpp"

#include "pipeline/batch_row.hpp"
#include "pipeline/device_timer.hpp"
#include "pipeline/loaded_pipeline.hpp"
#include "pipeline/out_of_memory.hpp"
#include "pipeline/pace.hpp"

#include <algorithm>
#include <exception>
#include <optional>
#include <span>

#include <ATen/ops/zeros_like.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/InferenceMode.h>

namespace sdfleet::pipeline {

namespace {

struct Member {
    PictureBatch::RowId id = 0;
    BatchRow row;
    fast::RowContext context;
    Picture picture; ///< as far as it is known
    std::shared_ptr<const EncodedImages> images;
    bool keeps_tensors = true;
    DeviceTimer preparing;
    DeviceTimer denoising; ///< since it joined
};

std::vector<std::uint8_t> to_rgb(const FusedOperators& ops, const at::Tensor& image)
{
    const at::Tensor bytes = ops.image_bytes(image).cpu();
    const auto* values = bytes.const_data_ptr<std::uint8_t>();
    return {values, values + bytes.numel()};
}

} // namespace

struct PictureBatch::Impl {
    LoadedPipeline& model;
    BatchOptions options;
    BatchKey key;
    std::vector<std::optional<Member>> rows; ///< without gaps, or with `fixed` always max_rows of them
    std::size_t rows_per_call;               ///< fewer after a lack of memory
    RowId last_id = 0;
    bool members_changed = true; ///< since the last call
    Pace pace;

    Impl(LoadedPipeline& loaded, const BatchOptions& chosen)
        : model(loaded), options(chosen), rows(chosen.fixed ? chosen.max_rows : 0), rows_per_call(chosen.max_rows),
          pace(loaded.options)
    {
    }

    std::size_t size() const
    {
        return static_cast<std::size_t>(std::ranges::count_if(rows, [](const auto& row) { return row.has_value(); }));
    }
    void add(Member member);
    void remove(std::optional<Member>& row);
    void call(std::span<std::optional<Member>> part);
    void call_all();
    base::Result<Picture> finish(Member& member);
    Advance end_all(const base::Error& error);
    fast::UNetStep& step_for(std::span<std::optional<Member>> part);
};

void PictureBatch::Impl::add(Member member)
{
    members_changed = true;
    const auto free = std::ranges::find_if(rows, [](const auto& row) { return !row.has_value(); });
    if (free != rows.end()) {
        free->emplace(std::move(member));
    } else {
        rows.emplace_back(std::move(member));
    }
}

void PictureBatch::Impl::remove(std::optional<Member>& row)
{
    members_changed = true;
    row.reset();
    if (!options.fixed) {
        std::erase_if(rows, [](const auto& other) { return !other.has_value(); });
    }
}

/// The step of this many rows, with the rows' numbers for the next call in place.
fast::UNetStep& PictureBatch::Impl::step_for(std::span<std::optional<Member>> part)
{
    const auto& any = *std::ranges::find_if(part, [](const auto& row) { return row.has_value(); });
    const at::Tensor& sample = any->row.sample();
    const std::int64_t copies = key.guided ? 2 : 1;
    fast::UNetStep& step = model.fast->steps.of({static_cast<std::int64_t>(part.size()), copies, sample.size(2),
                                                 sample.size(3), any->context.keys_and_values.front().size(1)});
    const bool all_in_one = part.size() == rows.size();
    std::vector<at::Tensor> samples;
    std::vector<at::Tensor> further;
    std::vector<float> scales;
    at::Tensor idle; // of rows that nobody has
    for (std::size_t i = 0; i < part.size(); ++i) {
        const auto place = static_cast<std::int64_t>(i);
        if (!part[i]) {
            idle = idle.defined() ? idle : at::zeros_like(sample);
            samples.push_back(idle);
            scales.push_back(0);
            continue;
        }
        const Member& member = *part[i];
        if (members_changed || !all_in_one) {
            step.set_context(place, member.context);
        }
        step.set_call(place, member.context, member.row.calls_made());
        samples.push_back(member.row.sample());
        scales.push_back(member.row.input_scale());
        if (const at::Tensor own = member.row.further_channels(); own.defined()) {
            further.resize(i, at::zeros_like(own));
            further.push_back(own);
        }
    }
    if (!further.empty()) {
        further.resize(part.size(), at::zeros_like(further.back()));
    }
    model.fast->ops.model_input(samples, further, scales, copies, step.input());
    return step;
}

void PictureBatch::Impl::call(std::span<std::optional<Member>> part)
{
    if (std::ranges::none_of(part, [](const auto& row) { return row.has_value(); })) {
        return;
    }
    const at::Tensor& predictions = step_for(part).run(model.fast->recorder);
    std::vector<kernels::SampleRow> updates;
    for (std::optional<Member>& member : part) {
        kernels::SampleRow idle{};
        idle.terms = 1;
        updates.push_back(member ? member->row.update() : idle);
    }
    model.fast->ops.sample_update(predictions, key.guided ? 2 : 1, updates);
    for (std::optional<Member>& member : part) {
        if (member) {
            member->row.take();
        }
    }
}

void PictureBatch::Impl::call_all()
{
    for (std::size_t begin = 0; begin < rows.size();) {
        const std::size_t count = std::min(rows_per_call, rows.size() - begin);
        try {
            call(std::span(rows).subspan(begin, count));
            begin += count;
        } catch (const std::exception& error) {
            if (options.fixed || count == 1 || !is_out_of_memory(error.what())) {
                throw;
            }
            // Nothing of this part has moved on: the same again in smaller parts, from now on.
            rows_per_call = (count + 1) / 2;
            model.forget_recordings();
        }
    }
    members_changed = false;
}

base::Result<Picture> PictureBatch::Impl::finish(Member& member)
{
    Picture picture = std::move(member.picture);
    member.denoising.stop();
    DeviceTimer decoding(model.options.device());
    try {
        if (member.keeps_tensors) {
            picture.latents = to_host(member.row.sample().squeeze(0));
        }
        const auto image = model.vae.decode(member.row.sample());
        if (!image) {
            return tl::unexpected(image.error());
        }
        decoding.stop();
        picture.rgb = to_rgb(model.fast->ops, *image);
        picture.timings.decode_ms = decoding.ms();
        picture.timings.denoise_ms = member.denoising.ms();
        picture.timings.text_ms = member.preparing.ms();
    } catch (const std::exception& error) {
        return base::fail(base::ExitCode::failed, "decoding failed: " + first_line(error.what()));
    }
    if (member.images && picture.parameters.keep_unmasked.value_or(false)) {
        picture.decoded_rgb = picture.rgb;
        member.images->restore_kept_pixels(picture.rgb);
    }
    return picture;
}

PictureBatch::Advance PictureBatch::Impl::end_all(const base::Error& error)
{
    Advance advance;
    for (std::optional<Member>& row : rows) {
        if (row) {
            advance.ended.push_back({row->id, tl::unexpected(error)});
            row.reset();
        }
    }
    if (!options.fixed) {
        rows.clear();
    }
    members_changed = true;
    model.forget_recordings(); // whatever state one was left in
    return advance;
}

PictureBatch::PictureBatch(const DiffusionPipeline& pipeline, const BatchOptions& options)
    : impl_(std::make_unique<Impl>(pipeline.loaded(), options))
{
}
PictureBatch::PictureBatch(PictureBatch&&) noexcept = default;
PictureBatch& PictureBatch::operator=(PictureBatch&&) noexcept = default;
PictureBatch::~PictureBatch() = default;

BatchKey PictureBatch::key_of(const GenerateRequest& request) const
{
    const PictureSize size = impl_->model.size_of(request);
    PictureParameters texts;
    texts.prompt_syntax = request.prompt_syntax;
    const PictureParameters parameters = impl_->model.parameters_of(texts, request, 0);
    return {size.width, size.height, impl_->model.is_guided(request.guidance_scale),
            impl_->model.text_chunks(parameters), request.loras};
}

bool PictureBatch::takes(const BatchKey& key) const
{
    const std::size_t drawn = impl_->size();
    return drawn == 0 || (drawn < impl_->options.max_rows && key == impl_->key);
}

std::size_t PictureBatch::size() const
{
    return impl_->size();
}

base::Result<PictureBatch::RowId> PictureBatch::join(const GenerateRequest& request)
{
    LoadedPipeline& model = impl_->model;
    const c10::InferenceMode inference;
    const c10::DeviceGuard device(model.options.device()); // own kernels and recordings go to the thread's current one
    DeviceTimer preparing(model.options.device());
    auto common = model.common_parameters(request);
    if (!common) {
        return tl::unexpected(common.error());
    }
    auto images = model.encode(request);
    if (!images) {
        return tl::unexpected(images.error());
    }
    try {
        Picture picture;
        picture.parameters = model.parameters_of(std::move(*common), request, 0);
        const PictureText text = model.encode_text(picture.parameters);
        auto row = BatchRow::make(model, request, picture.parameters, *images);
        if (!row) {
            return tl::unexpected(row.error());
        }
        if (request.keep_tensors) {
            text.keep_in(picture);
        }
        fast::RowContext context = model.fast->unet.encode_context(text.conditions, row->timesteps());
        preparing.stop();
        const RowId id = ++impl_->last_id;
        if (impl_->size() == 0) {
            impl_->key = key_of(request);
        }
        impl_->add({id, std::move(*row), std::move(context), std::move(picture), *images, request.keep_tensors,
                    std::move(preparing), DeviceTimer(model.options.device())});
        return id;
    } catch (const std::exception& error) {
        return base::fail(base::ExitCode::failed, "drawing failed: " + first_line(error.what()));
    }
}

PictureBatch::Advance PictureBatch::step()
{
    const c10::InferenceMode inference;
    const c10::DeviceGuard device(impl_->model.options.device());
    try {
        impl_->call_all();
        impl_->pace.after_call();
    } catch (const std::exception& error) {
        return impl_->end_all({base::ExitCode::failed, "drawing failed: " + first_line(error.what())});
    }
    Advance advance;
    std::vector<RowId> done;
    for (std::optional<Member>& member : impl_->rows) {
        if (!member) {
            continue;
        }
        advance.progress.push_back({member->id, member->row.calls_made(), member->row.calls()});
        if (member->row.is_done()) {
            advance.ended.push_back({member->id, impl_->finish(*member)});
            done.push_back(member->id);
        }
    }
    for (const RowId id : done) {
        leave(id);
    }
    return advance;
}

void PictureBatch::leave(RowId id)
{
    const auto row = std::ranges::find_if(impl_->rows, [id](const auto& member) { return member && member->id == id; });
    if (row != impl_->rows.end()) {
        impl_->remove(*row);
    }
}

} // namespace sdfleet::pipeline
