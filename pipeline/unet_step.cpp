// SPDX-License-Identifier: Apache-2.0
#include "pipeline/unet_step.hpp"

#include <algorithm>

#include <ATen/ops/zeros.h>

namespace sdfleet::pipeline::fast {

UNetStep::UNetStep(const UNet& unet, StepShape shape, std::int64_t in_channels, at::TensorOptions options)
    : unet_(&unet), shape_(shape)
{
    const std::int64_t all = shape.rows * shape.copies;
    input_ = channels_last(at::zeros({all, in_channels, shape.height, shape.width}, options));
    time_biases_ = at::zeros({all, unet.time_bias_channels()}, options);
}

void UNetStep::set_context(std::int64_t row, const RowContext& context)
{
    if (keys_and_values_.empty()) {
        for (const at::Tensor& own : context.keys_and_values) {
            keys_and_values_.push_back(
                at::zeros({shape_.copies * shape_.rows, own.size(1), own.size(2)}, own.options()));
        }
    }
    for (std::size_t i = 0; i < keys_and_values_.size(); ++i) {
        for (std::int64_t copy = 0; copy < shape_.copies; ++copy) {
            keys_and_values_[i]
                .select(0, copy * shape_.rows + row)
                .copy_(context.keys_and_values.at(i).select(0, copy));
        }
    }
}

void UNetStep::set_call(std::int64_t row, const RowContext& context, std::int64_t call)
{
    const at::Tensor biases = time_biases_.view({shape_.copies, shape_.rows, time_biases_.size(1)});
    biases.select(1, row).copy_(context.time_biases.select(0, call));
}

const at::Tensor& UNetStep::run(const Recorder& recorder)
{
    const auto forward = [this] { output_ = unet_->forward(input_, time_biases_, keys_and_values_); };
    if (!recorder) {
        forward();
        return output_;
    }
    if (!recorded_) {
        recorded_ = recorder(forward);
    }
    recorded_->replay();
    return output_;
}

UNetStep& UNetSteps::of(const StepShape& shape)
{
    const auto found = std::ranges::find(steps_, shape, [](const UNetStep& step) { return step.shape(); });
    if (found != steps_.end()) {
        steps_.splice(steps_.begin(), steps_, found);
        return steps_.front();
    }
    while (steps_.size() >= max_kept) {
        steps_.pop_back();
    }
    return steps_.emplace_front(*unet_, shape, in_channels_, options_);
}

} // namespace sdfleet::pipeline::fast
