// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "pipeline/noise_source.hpp"
#include "pipeline/scheduler_names.hpp"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>
#include <nlohmann/json_fwd.hpp>

namespace sdfleet::pipeline {

/// Turns predictions of a denoiser into samples, along a fixed list of timesteps. Knows no model. One object serves one
/// picture: it keeps the history of that picture's predictions. Calls come in order, index 0, 1, ... (or from the index
/// that begin_at named), each scale_model_input before its step.
class Scheduler {
public:
    virtual ~Scheduler() = default;

    /// The timestep of each call of the model, which may be fractional and may repeat. There can be more calls than
    /// steps were asked for (PNDM).
    const std::vector<double>& timesteps() const { return timesteps_; }

    /// What unit noise is multiplied by to become the first sample.
    virtual double init_noise_sigma() const { return 1.0; }

    virtual at::Tensor scale_model_input(const at::Tensor& sample, std::size_t index) const;

    /// The sample after call `index`; `prediction` and `sample` have the same shape. Some schedulers add noise in every
    /// step: `noise` is the source that the picture's first noise came from.
    virtual at::Tensor step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                            NoiseSource& noise) = 0;

    /// `original` with as much of the unit noise `noise` as a sample has before call `index`. Both of one shape and type.
    virtual at::Tensor add_noise(const at::Tensor& original, const at::Tensor& noise, std::size_t index) const = 0;

    /// Whether step() is linear in all that it is given, now and earlier: no clipping, no thresholding.
    virtual bool is_linear() const { return true; }

    /// Image to image: the first call will be `index`, on a sample from add_noise. At most once, before any step.
    /// timesteps() stays as it is, and indices go on counting from its beginning.
    void begin_at(std::size_t index) { begin_ = index; }

    /// How many entries of timesteps() one step has: what a number of steps is multiplied by to become an index.
    virtual int order() const { return 1; }

protected:
    Scheduler() = default;
    std::vector<double> timesteps_;
    std::size_t begin_ = 0; ///< index of the first call
};

/// The keys that a published pipeline replaces in its scheduler's config when it loads a folder, because old files have
/// them wrong. Stable Diffusion 1 and 2: steps_offset becomes 1 and clip_sample false; inpainting: steps_offset 1 and
/// skip_prk_steps true; SDXL and LCM: none.
enum class FileRepairs { none, stable_diffusion, inpainting };

/// scheduler/scheduler_config.json, and the choice of a scheduler by name.
class SchedulerConfig {
public:
    /// Fails with ExitCode::bad_input for an unknown class, an unknown key that is not null, or a bad value.
    static base::Result<SchedulerConfig> read(const std::filesystem::path& path);
    static base::Result<SchedulerConfig> from_json(const nlohmann::json& config, const std::string& where);

    SchedulerConfig(const SchedulerConfig& other);
    SchedulerConfig(SchedulerConfig&&) noexcept;
    SchedulerConfig& operator=(SchedulerConfig&&) noexcept;
    ~SchedulerConfig();

    /// The name of the folder's own scheduler: "euler", "ddim", ...
    const std::string& own_name() const { return own_name_; }

    /// A scheduler for one picture. `name` empty: the folder's own. Another one takes over the keys that the file spells
    /// out, and its own class's defaults for the others. Errors: ExitCode::usage for an unknown name or a number of steps
    /// that the scheduler cannot make, bad_input for a config that the named scheduler cannot use.
    base::Result<std::unique_ptr<Scheduler>> make(std::string_view name, int steps,
                                                  FileRepairs repairs = FileRepairs::stable_diffusion) const;

private:
    SchedulerConfig(const nlohmann::json& config, std::string where, std::string own_name);

    std::unique_ptr<nlohmann::json> config_;
    std::string where_;
    std::string own_name_;
};

} // namespace sdfleet::pipeline
