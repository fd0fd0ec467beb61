// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "pipeline/compute_mode.hpp"
#include "pipeline/dtype.hpp"
#include "pipeline/generate_request.hpp"
#include "pipeline/image_metadata.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sdfleet::pipeline {

struct LoadedPipeline;

struct LoadOptions {
    std::string device = "auto"; ///< "auto", "cpu" or "cuda:N"
    Dtype dtype = Dtype::automatic;
    std::string variant = {};    ///< of the weight files, such as "fp16"; empty: the plain ones, then fp16
    std::string model_name = {}; ///< what pictures say they were drawn with; empty: the folder's name
    ComputeMode mode = ComputeMode::automatic;

    /// Fast mode on a GPU: measure which of the library's algorithms is the fastest for each size. Without, a picture has
    /// the same bits in every process on the same sort of GPU.
    bool tune = true;

    /// In which type pictures are decoded; automatic: the model's, except where the decoder says that it overflows in fp16:
    /// bf16 in fast mode, fp32 in reference mode. What comes out broken is decoded again in fp32.
    Dtype vae_dtype = Dtype::automatic;

    /// Fast mode on a GPU: record the networks' work and replay it (CUDA graphs). Without, the same work is launched kernel by
    /// kernel, with the same result to the bit, given the same algorithms (tune).
    bool record = true;
};

/// fp32 numbers on the host, row-major.
struct HostTensor {
    std::vector<std::int64_t> shape;
    std::vector<float> values;
};

/// What one picture took, in milliseconds: of wall time on the CPU, of the device's own time on a GPU in fast mode.
struct Timings {
    double text_ms = 0;
    double denoise_ms = 0;
    double decode_ms = 0;
};

struct Picture {
    PictureParameters parameters;          ///< complete: drawing them again gives the same bytes
    std::vector<std::uint8_t> rgb;         ///< height * width * 3, rows from the top
    std::vector<std::uint8_t> decoded_rgb; ///< before kept pixels were put back; empty where none were
    HostTensor latents;                    ///< [C, h, w], before decoding
    HostTensor prompt_embeds;              ///< [L, D]
    HostTensor negative_prompt_embeds;     ///< [L, D]; empty without guidance
    HostTensor pooled_prompt_embeds;       ///< [P]; empty unless the model has them (SDXL)
    HostTensor negative_pooled_prompt_embeds;
    Timings timings;
};

/// Called after each call of the denoiser, `step` of `steps` (PNDM makes more calls than it was asked for steps; the
/// count runs over all pictures of the request). Returning false ends the drawing before the next call.
using StepCallback = std::function<bool(int step, int steps)>;

/// Called with each picture as soon as it is drawn; an error ends the request.
using PictureCallback = std::function<base::Result<void>(std::size_t index, Picture&& picture)>;

/// A pipeline out of a model folder in diffusers layout: Stable Diffusion 1.x, 2.x or XL, or one of them distilled to draw
/// in a few steps (LCM). One thread draws at a time.
class DiffusionPipeline {
public:
    /// Reads the whole folder into memory. Errors: ExitCode::bad_input for the folder, naming the file and what is wrong
    /// with it; usage or failed for a device or type that this build or machine does not have.
    static base::Result<DiffusionPipeline> from_pretrained(const std::filesystem::path& folder,
                                                           const LoadOptions& options);

    DiffusionPipeline(DiffusionPipeline&&) noexcept;
    DiffusionPipeline& operator=(DiffusionPipeline&&) noexcept;
    ~DiffusionPipeline();

    /// ExitCode::usage with the first thing that this model cannot draw, before any of it is drawn.
    base::Result<void> check(const GenerateRequest& request) const;

    /// Draws the pictures one by one, or in fast mode request.batch_size together, in rows of their own: a picture's bytes
    /// depend on the model, its prompt, the parameters, its seed and the size of the batch, never on its neighbours or on what
    /// was drawn before. Errors: those of check;
    /// ExitCode::bad_input for a LoRA that does not fit; ExitCode::interrupted when `on_step` said so; what `on_picture`
    /// returned; ExitCode::failed when the library fails (out of memory), or when a picture comes out with values that are
    /// no numbers. LoRAs stay in the parameters until a request asks for others, which no caller can see.
    base::Result<void> generate(const GenerateRequest& request, const PictureCallback& on_picture,
                                const StepCallback& on_step = {}) const;

    /// How often generate will call the denoiser for one picture of `request`, which check has passed.
    base::Result<int> calls_per_picture(const GenerateRequest& request) const;

    int default_height() const; ///< pixels
    int default_width() const;
    const std::string& model_name() const;
    std::string own_scheduler() const;
    bool is_fast() const; ///< in fast mode: PictureBatch can draw with it

    /// The most memory that this process's tensors took on the device; on the CPU, that the process took.
    std::uint64_t peak_memory_bytes() const;
    std::string device() const; ///< "cpu" or "cuda:N"

    LoadedPipeline& loaded() const { return *parts_; } ///< for PictureBatch

private:
    explicit DiffusionPipeline(std::unique_ptr<LoadedPipeline> parts);

    std::unique_ptr<LoadedPipeline> parts_;
};

/// Threads that one operation may use, for the whole process, not only this pipeline. Pictures do not depend on it
/// in reference mode (parity_test holds that for 1 and 2), and but for the last bits in fast mode.
void set_threads(int count);

} // namespace sdfleet::pipeline
