// SPDX-License-Identifier: Apache-2.0
#include "pipeline/batch_row.hpp"

#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones.h>

namespace sdfleet::pipeline {

base::Result<BatchRow> BatchRow::make(LoadedPipeline& model, const GenerateRequest& request,
                                      const PictureParameters& parameters, std::shared_ptr<const EncodedImages> images)
{
    auto scheduler = model.make_steps(request);
    if (!scheduler) {
        return tl::unexpected(scheduler.error());
    }
    BatchRow row;
    row.scheduler_ = std::move(*scheduler);
    row.first_ = row.index_ = first_call(request, *row.scheduler_);
    row.scheduler_->begin_at(row.first_);
    row.linear_ = model.linear_schedule(request, row.first_);
    row.guidance_scale_ = parameters.guidance_scale;
    row.source_ = std::make_unique<NoiseSource>(parameters.seed);
    if (images) {
        row.from_image_.emplace(*images, *row.source_, *row.scheduler_, row.first_);
        row.samples_ = {row.from_image_->first_sample().contiguous()};
        row.images_ = std::move(images);
    } else {
        const at::Tensor unit = row.source_->draw(model.latent_shape(parameters));
        row.samples_ = {unit.to(model.options.dtype(at::kFloat)) * row.scheduler_->init_noise_sigma()};
    }
    return row;
}

at::Tensor BatchRow::further_channels() const
{
    return from_image_ ? from_image_->further_channels() : at::Tensor();
}

float BatchRow::input_scale() const
{
    if (linear_) {
        return linear_->step(index_).input_scale;
    }
    return scheduler_->scale_model_input(at::ones({1}), index_).item<float>();
}

std::vector<double> BatchRow::timesteps() const
{
    const std::vector<double>& all = scheduler_->timesteps();
    return {all.begin() + static_cast<std::ptrdiff_t>(first_), all.end()};
}

const at::Tensor& BatchRow::tensor_of(const LinearTerm& term) const
{
    switch (term.of) {
    case LinearTerm::Of::noise:
        return noise_;
    case LinearTerm::Of::sample:
        return samples_.at(term.calls_ago);
    case LinearTerm::Of::prediction:
        break;
    }
    return predictions_.at(term.calls_ago - 1);
}

kernels::SampleRow BatchRow::update()
{
    kernels::SampleRow row{};
    row.guidance = static_cast<float>(guidance_scale_);
    row.terms = 1;
    if (!linear_ || linear_->calls_kept() > 0) {
        prediction_ = at::empty_like(sample());
        row.prediction = prediction_.mutable_data_ptr<float>();
    }
    if (!linear_) {
        return row;
    }
    const LinearStep& step = linear_->step(index_);
    if (step.draws_noise && !noise_.defined()) {
        noise_ = source_->draw_like(sample());
    }
    next_ = at::empty_like(sample());
    row.result = next_.mutable_data_ptr<float>();
    row.terms = static_cast<std::int32_t>(step.terms.size());
    for (std::size_t k = 0; k < step.terms.size(); ++k) {
        row.factor[k] = step.terms[k].factor;
        row.term[k] = k == 0 ? nullptr : tensor_of(step.terms[k]).const_data_ptr<float>();
    }
    return row;
}

void BatchRow::take()
{
    at::Tensor next =
        linear_ ? std::exchange(next_, {}) : scheduler_->step(prediction_, index_, sample(), *source_).contiguous();
    if (from_image_) {
        next = from_image_->hold_kept_part(std::move(next), *scheduler_, index_).contiguous();
    }
    samples_.push_front(std::move(next));
    if (prediction_.defined()) {
        predictions_.push_front(std::exchange(prediction_, {}));
    }
    noise_.reset();
    // The next call's sample counts as its own: so many older ones.
    const std::size_t kept = linear_ ? linear_->calls_kept() : 0;
    while (samples_.size() > kept + 1) {
        samples_.pop_back();
    }
    while (predictions_.size() > kept) {
        predictions_.pop_back();
    }
    ++index_;
}

} // namespace sdfleet::pipeline
