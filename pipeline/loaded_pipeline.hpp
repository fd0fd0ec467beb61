// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/diffusion_pipeline.hpp"
#include "pipeline/fast_networks.hpp"
#include "pipeline/image_to_image.hpp"
#include "pipeline/linear_schedule.hpp"
#include "pipeline/lora_fuser.hpp"
#include "pipeline/pipeline_parts.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace sdfleet::pipeline {

/// What the text of a picture becomes.
struct PictureText {
    TextConditioning positive;
    std::optional<TextConditioning>
        negative;              ///< nothing without guidance: a distilled model is told how much of it instead
    UNetConditions conditions; ///< rows: [negative, positive] with guidance, else [positive]

    bool guided() const { return negative.has_value(); }
    void keep_in(Picture& picture) const; ///< the embeddings, on the host
};

/// A model in memory with all that is made from it later: what DiffusionPipeline and PictureBatch draw with. Not for
/// callers of the pipeline.
struct LoadedPipeline : PipelineParts {
    LoadedPipeline(PipelineParts parts, std::string model);

    std::string model_name;
    std::string dtype_name;
    LoraFuser loras;                           ///< what is in the models' parameters besides their own values
    std::optional<AutoencoderEncoder> encoder; ///< read with the first request that brings an image
    std::unique_ptr<FastNetworks> fast;        ///< null in reference mode

    base::Result<void> check(const GenerateRequest& request) const;
    base::Result<std::unique_ptr<Scheduler>> make_steps(const GenerateRequest& request) const;
    PictureSize size_of(const GenerateRequest& request) const;

    /// The numbers of the request's scheduler from call `first` on; null where it has none. The latest few are kept, as most
    /// pictures are drawn like those before them.
    std::shared_ptr<const LinearSchedule> linear_schedule(const GenerateRequest& request, std::size_t first);

    /// What all pictures of the request share; its LoRAs are in the parameters then.
    base::Result<PictureParameters> common_parameters(const GenerateRequest& request);

    /// `common` for picture `index` of the request.
    PictureParameters parameters_of(PictureParameters common, const GenerateRequest& request, std::size_t index) const;

    /// Nothing without an init image.
    base::Result<std::shared_ptr<const EncodedImages>> encode(const GenerateRequest& request);

    std::size_t text_chunks(const PictureParameters& parameters) const; ///< that both prompts fit into
    bool is_guided(double guidance_scale) const { return guidance_scale > 1 && unet.config().time_cond_proj_dim == 0; }
    PictureText encode_text(const PictureParameters& parameters) const;

    /// Fast mode: gives all recordings and what the library keeps for later back to the device. They are made again where
    /// they are needed.
    void forget_recordings();

    /// 8 whatever the autoencoder: what the published pipelines ask for.
    int side_multiple() const;

    /// Of a picture of this size: [1, channels, h, w].
    std::vector<std::int64_t> latent_shape(const PictureParameters& parameters) const;

private:
    struct KnownSchedule {
        std::tuple<std::string, int, bool, std::size_t> key; ///< scheduler, steps, whether a mask is there, first call
        std::shared_ptr<const LinearSchedule> schedule;
    };
    std::deque<KnownSchedule> known_schedules_; ///< the latest first
};

/// The call of `steps` that the request's pictures begin with: their strength leaves out the first steps.
std::size_t first_call(const GenerateRequest& request, const Scheduler& steps);

/// fp32 on the host; empty for an undefined tensor.
HostTensor to_host(const at::Tensor& tensor);

/// The library's messages go on with a stack trace.
std::string first_line(std::string_view text);

} // namespace sdfleet::pipeline
