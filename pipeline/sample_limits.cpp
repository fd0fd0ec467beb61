// SPDX-License-Identifier: Apache-2.0
#include "pipeline/sample_limits.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/quantile.h>

namespace sdfleet::pipeline {

SampleLimits SampleLimits::read_thresholding(ConfigReader& reader)
{
    SampleLimits limits;
    limits.thresholds = reader.boolean("thresholding", false);
    limits.thresholding_ratio = reader.number("dynamic_thresholding_ratio", 0.995);
    limits.thresholding_max = reader.number("sample_max_value", 1);
    if (!(limits.thresholding_ratio >= 0 && limits.thresholding_ratio <= 1)) {
        reader.problem("'dynamic_thresholding_ratio' does not lie between 0 and 1");
    }
    return limits;
}

SampleLimits SampleLimits::read(ConfigReader& reader, bool clips_by_default)
{
    SampleLimits limits = read_thresholding(reader);
    limits.clips = reader.boolean("clip_sample", clips_by_default);
    limits.clip_range = reader.number("clip_sample_range", 1);
    return limits;
}

at::Tensor SampleLimits::apply(const at::Tensor& original) const
{
    if (thresholds) {
        const at::Tensor flat = original.to(at::kFloat).flatten(1);
        const at::Tensor edge = at::quantile(flat.abs(), thresholding_ratio, 1).clamp(1, thresholding_max).unsqueeze(1);
        return (at::clamp(flat, -edge, edge) / edge).view(original.sizes()).to(original.scalar_type());
    }
    return clips ? original.clamp(-clip_range, clip_range) : original;
}

} // namespace sdfleet::pipeline
