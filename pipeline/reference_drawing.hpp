// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/loaded_pipeline.hpp"

#include <functional>

namespace sdfleet::pipeline {

/// Draws one picture with LibTorch's operators in the order of the published pipelines. `steps`: a fresh scheduler, whose
/// calls from `first` on are made; `images`: null for a picture from noise alone. Errors: ExitCode::interrupted when
/// `step_done` returned false, failed for a picture of values that are no numbers. Throws what the library throws.
base::Result<Picture> draw_by_reference(LoadedPipeline& model, const PictureParameters& parameters, Scheduler& steps,
                                        std::size_t first, const EncodedImages* images,
                                        const std::function<bool()>& step_done);

} // namespace sdfleet::pipeline
