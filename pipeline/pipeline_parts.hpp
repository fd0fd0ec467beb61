// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/latent_decoder.hpp"
#include "pipeline/prompt_encoder.hpp"
#include "pipeline/scheduler.hpp"
#include "pipeline/unet_2d_condition.hpp"

#include <filesystem>
#include <string>

#include <ATen/core/Tensor.h>

namespace sdfleet::pipeline {

/// In which type pictures are decoded.
enum class VaeDtype {
    published,  ///< the model's; fp32 for a decoder that says it overflows in fp16 (force_upcast)
    wide_range, ///< the model's; bf16 for such a decoder: its range is enough, and it is several times as fast as fp32
    model,
    bf16,
    fp32,
};

/// A model folder in memory: everything that a picture passes through, from text to pixels.
struct PipelineParts {
    at::TensorOptions options; ///< device and type of the weights and of all that flows between them
    PromptEncoder prompts;
    UNet2DConditionModel unet;
    LatentDecoder vae;
    SchedulerConfig scheduler;
    FileRepairs repairs;                ///< what the scheduler's config needs with this family
    bool zeros_without_negative_prompt; ///< no negative prompt at all is zeros, not an empty text

    /// The family follows from the configs alone. Errors: ExitCode::bad_input, naming the file and what is wrong with it;
    /// failed, before any weights are read, when the device has too little memory for them.
    static base::Result<PipelineParts> load(const std::filesystem::path& folder, at::TensorOptions options,
                                            const std::string& variant = {}, VaeDtype vae_dtype = VaeDtype::published);
};

} // namespace sdfleet::pipeline
