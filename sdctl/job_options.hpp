// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "proto/job_spec.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace sdfleet::sdctl {

/// What actors can draw with; a test holds it and the pipeline together.
inline constexpr std::array scheduler_names{"ddim", "dpmpp_2m", "dpmpp_2m_karras", "euler", "euler_a", "lcm",
                                            "pndm", "unipc"};

/// What `run` and `submit` take from the command line to describe a job.
struct JobOptions {
    std::filesystem::path prompts_file;
    std::vector<std::string> prompts;
    std::string model;
    std::int64_t seed = 0; ///< -1 = choose one
    std::uint32_t steps = proto::DiffusionParameters{}.num_inference_steps;
    double guidance_scale = proto::DiffusionParameters{}.guidance_scale;
    std::string size; ///< "WxH"; empty = the model's own
    std::string scheduler;
    std::optional<std::string> negative_prompt;
    std::string prompt_syntax = "plain";
    std::uint32_t clip_skip = 0;
    std::string split = "pull";
    std::int32_t priority = 0;
    std::uint32_t group = 0;                    ///< 0 = each actor on its own
    std::string gather;                         ///< "auto", "zmq", "nccl"; empty = auto
    std::optional<std::uint32_t> echo_delay_ms; ///< an echo job when set
    std::uint32_t echo_bytes = 0;
};

void add_job_options(CLI::App& command, JobOptions& options);

enum class ModelMeans { name, name_or_folder };

/// Reads the prompts and checks every value; faults are usage errors. The seed of item k is the base seed + k. The model
/// stays empty when none is named, and may be a path where `model_means` allows it. A chosen seed is written back to
/// `options`.
base::Result<proto::JobSpec> make_job_spec(JobOptions& options, ModelMeans model_means = ModelMeans::name);

/// 12 lower-case letters and digits, drawn at random.
std::string make_job_id();

} // namespace sdfleet::sdctl
