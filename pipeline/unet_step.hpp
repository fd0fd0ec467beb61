// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/fast_unet.hpp"
#include "pipeline/recorded_work.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <utility>
#include <vector>

namespace sdfleet::pipeline::fast {

/// What one call of the UNet is made for.
struct StepShape {
    std::int64_t rows = 1;   ///< pictures
    std::int64_t copies = 1; ///< 2 with guidance
    std::int64_t height = 0; ///< of the latents
    std::int64_t width = 0;
    std::int64_t text_length = 0;

    auto operator<=>(const StepShape&) const = default;
};

/// One call of the UNet for one shape, with inputs and output at a fixed place: recorded at its first run where there is a
/// recorder, replayed after. Of the R = copies * rows rows, all unconditional ones come first.
class UNetStep {
public:
    /// `unet` must outlive the object. `options`: of the model.
    UNetStep(const UNet& unet, StepShape shape, std::int64_t in_channels, at::TensorOptions options);

    const StepShape& shape() const { return shape_; }
    at::Tensor& input() { return input_; } ///< [R, in_channels, h, w], channels_last

    /// Puts what a picture brings to all its steps into row `row`.
    void set_context(std::int64_t row, const RowContext& context);

    /// Puts what it brings to its call `call` there.
    void set_call(std::int64_t row, const RowContext& context, std::int64_t call);

    /// The predictions, [R, out_channels, h, w] in channels_last memory; overwritten by the next run.
    const at::Tensor& run(const Recorder& recorder);

private:
    const UNet* unet_;
    StepShape shape_;
    at::Tensor input_;
    at::Tensor time_biases_;                  ///< [R, channels]
    std::vector<at::Tensor> keys_and_values_; ///< each [R, L, 2 * C]; made with the first context
    at::Tensor output_;
    std::unique_ptr<RecordedWork> recorded_;
};

/// The steps of the shapes that were drawn last, at most max_kept of them: each holds its inputs and its recording.
class UNetSteps {
public:
    static constexpr std::size_t max_kept = 8;

    UNetSteps(const UNet& unet, std::int64_t in_channels, at::TensorOptions options)
        : unet_(&unet), in_channels_(in_channels), options_(options)
    {
    }

    /// Valid until the next call.
    UNetStep& of(const StepShape& shape);
    std::size_t kept() const { return steps_.size(); }
    void clear() { steps_.clear(); }

private:
    const UNet* unet_;
    std::int64_t in_channels_;
    at::TensorOptions options_;
    std::list<UNetStep> steps_; ///< the latest first
};

} // namespace sdfleet::pipeline::fast
