// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/config_reader.hpp"

#include <ATen/core/Tensor.h>

namespace sdfleet::pipeline {

/// What keeps a predicted picture in range: dynamic thresholding (https://arxiv.org/abs/2205.11487), else clipping, else
/// nothing.
struct SampleLimits {
    bool clips = false;
    double clip_range = 1;
    bool thresholds = false;
    double thresholding_ratio = 0.995;
    double thresholding_max = 1;

    /// For the classes that only know thresholding.
    static SampleLimits read_thresholding(ConfigReader& reader);
    static SampleLimits read(ConfigReader& reader, bool clips_by_default);

    bool acts() const { return clips || thresholds; }

    /// `original` is a batch of one picture.
    at::Tensor apply(const at::Tensor& original) const;
};

} // namespace sdfleet::pipeline
