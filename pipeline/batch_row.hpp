// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/image_to_image.hpp"
#include "pipeline/linear_schedule.hpp"
#include "pipeline/loaded_pipeline.hpp"

#include <deque>
#include <memory>
#include <optional>

namespace sdfleet::pipeline {

/// One picture on its way from noise to latents: its sample, its scheduler and what that remembers. Samples are fp32 on the
/// model's device. What a call does to it is one row of kernels::SampleUpdateArguments where its scheduler is linear, and
/// the scheduler's own operators otherwise.
class BatchRow {
public:
    /// Draws the first noise. `request` is of this one picture; `images`: null for a picture from noise alone.
    static base::Result<BatchRow> make(LoadedPipeline& model, const GenerateRequest& request,
                                       const PictureParameters& parameters,
                                       std::shared_ptr<const EncodedImages> images);

    const at::Tensor& sample() const { return samples_.front(); } ///< [1, C, h, w]
    at::Tensor further_channels() const; ///< of the model's input, [1, k, h, w]; undefined: none
    float input_scale() const;

    /// Of all the calls that this picture makes.
    std::vector<double> timesteps() const;
    int calls() const { return static_cast<int>(scheduler_->timesteps().size() - first_); }
    int calls_made() const { return static_cast<int>(index_ - first_); }
    bool is_done() const { return index_ == scheduler_->timesteps().size(); }

    /// What the next call is to do; its pointers are valid until take(). May be asked for again before that.
    kernels::SampleRow update();

    /// The update was made (or is in the stream): on to the next call.
    void take();

private:
    BatchRow() = default;
    const at::Tensor& tensor_of(const LinearTerm& term) const;

    std::unique_ptr<Scheduler> scheduler_;
    std::shared_ptr<const LinearSchedule> linear_; ///< null: the scheduler runs itself
    std::unique_ptr<NoiseSource> source_;
    std::shared_ptr<const EncodedImages> images_;
    std::optional<ImageToImage> from_image_;
    double guidance_scale_ = 1;
    std::size_t first_ = 0;
    std::size_t index_ = 0;                ///< of the next call
    std::deque<at::Tensor> samples_;       ///< of this call and of those before, newest first
    std::deque<at::Tensor> predictions_;   ///< of the calls before
    at::Tensor next_, prediction_, noise_; ///< of the update under way
};

} // namespace sdfleet::pipeline
