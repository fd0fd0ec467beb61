// SPDX-License-Identifier: Apache-2.0
#include "pipeline/scheduler.hpp"

#include "pipeline/ddim_scheduler.hpp"
#include "pipeline/dpmpp_scheduler.hpp"
#include "pipeline/euler_ancestral_scheduler.hpp"
#include "pipeline/euler_scheduler.hpp"
#include "pipeline/lcm_scheduler.hpp"
#include "pipeline/pndm_scheduler.hpp"
#include "pipeline/unipc_scheduler.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

namespace sdfleet::pipeline {

namespace {

using Made = base::Result<std::unique_ptr<Scheduler>>;

template <class Config, class SchedulerType>
Made make_from(ConfigReader& reader, int steps)
{
    const auto config = Config::read(reader);
    return config ? SchedulerType::make(*config, steps) : Made(tl::unexpected(config.error()));
}

/// One line per scheduler: a new one is added here and nowhere else. Where two share a class, the first is the folder's.
struct Entry {
    std::string_view name;
    std::string_view class_name; ///< in scheduler_config.json
    bool clips_by_default;       ///< the class's clip_sample is true where the file is silent
    Made (*make)(ConfigReader&, int steps);
    std::string_view set_key; ///< the name means that this key is true, whatever the file says
};

constexpr std::array<Entry, 8> schedulers{{
    {"ddim", "DDIMScheduler", true, make_from<DdimConfig, DdimScheduler>, ""},
    {"pndm", "PNDMScheduler", false, make_from<PndmConfig, PndmScheduler>, ""},
    {"euler", "EulerDiscreteScheduler", false, make_from<EulerConfig, EulerScheduler>, ""},
    {"euler_a", "EulerAncestralDiscreteScheduler", false, make_from<EulerAncestralConfig, EulerAncestralScheduler>, ""},
    {"dpmpp_2m", "DPMSolverMultistepScheduler", false, make_from<DpmppConfig, DpmppScheduler>, ""},
    {"dpmpp_2m_karras", "DPMSolverMultistepScheduler", false, make_from<DpmppConfig, DpmppScheduler>,
     "use_karras_sigmas"},
    {"unipc", "UniPCMultistepScheduler", false, make_from<UniPcConfig, UniPcScheduler>, ""},
    {"lcm", "LCMScheduler", false, make_from<LcmConfig, LcmScheduler>, ""},
}};

template <class Field>
const Entry* find_entry(Field field, std::string_view value)
{
    const auto* found =
        std::find_if(schedulers.begin(), schedulers.end(), [&](const Entry& e) { return e.*field == value; });
    return found == schedulers.end() ? nullptr : found;
}

std::string list_of(std::string_view Entry::*field)
{
    std::string list;
    for (const Entry& entry : schedulers) {
        const bool is_variant = !entry.set_key.empty(); // whose class is in the list already
        if (field == &Entry::name || !is_variant) {
            list += (list.empty() ? "" : ", ") + std::string(entry.*field);
        }
    }
    return list;
}

/// Every key that some scheduler of the family reads. Files are exchanged between the classes, so a key of another class
/// is no error; one that no class knows is.
void accept_family_keys(ConfigReader& reader)
{
    reader.ignore({"num_train_timesteps",
                   "beta_start",
                   "beta_end",
                   "beta_schedule",
                   "trained_betas",
                   "prediction_type",
                   "timestep_spacing",
                   "steps_offset",
                   "set_alpha_to_one",
                   "clip_sample",
                   "clip_sample_range",
                   "thresholding",
                   "dynamic_thresholding_ratio",
                   "sample_max_value",
                   "rescale_betas_zero_snr",
                   "use_karras_sigmas",
                   "use_exponential_sigmas",
                   "use_beta_sigmas",
                   "interpolation_type",
                   "final_sigmas_type",
                   "timestep_type",
                   "sigma_min",
                   "sigma_max",
                   "skip_prk_steps",
                   "solver_order",
                   "algorithm_type",
                   "solver_type",
                   "lower_order_final",
                   "euler_at_final",
                   "use_lu_lambdas",
                   "use_flow_sigmas",
                   "flow_shift",
                   "lambda_min_clipped",
                   "variance_type",
                   "predict_x0",
                   "disable_corrector",
                   "solver_p",
                   "shift_terminal",
                   "original_inference_steps",
                   "timestep_scaling",
                   "time_shift_type",
                   "use_dynamic_shifting"});
}

/// The file as the pipeline leaves it. `also_absent`: for the folder's own scheduler, whose missing keys are repaired too;
/// another one would not hear of those.
nlohmann::json repaired(nlohmann::json config, FileRepairs repairs, bool clips_by_default, bool also_absent)
{
    if (repairs == FileRepairs::none) {
        return config;
    }
    if (also_absent || config.contains("steps_offset")) {
        config["steps_offset"] = 1;
    }
    if (repairs == FileRepairs::inpainting) {
        if (also_absent || config.contains("skip_prk_steps")) {
            config["skip_prk_steps"] = true;
        }
    } else if ((also_absent && clips_by_default) || config.value("clip_sample", nlohmann::json()) == true) {
        config["clip_sample"] = false;
    }
    return config;
}

/// The file as its own class hands it on to another: a solver type of the other's is replaced.
nlohmann::json handed_on(nlohmann::json config, std::string_view own_class)
{
    const auto solver = config.find("solver_type");
    if (solver != config.end() && own_class == "UniPCMultistepScheduler" && *solver != "bh1") {
        *solver = "bh2";
    } else if (solver != config.end() && own_class == "DPMSolverMultistepScheduler" && *solver != "heun") {
        *solver = "midpoint";
    }
    return config;
}

} // namespace

at::Tensor Scheduler::scale_model_input(const at::Tensor& sample, std::size_t /*index*/) const
{
    return sample;
}

std::vector<std::string> scheduler_names()
{
    std::vector<std::string> names;
    for (const Entry& entry : schedulers) {
        names.emplace_back(entry.name);
    }
    return names;
}

std::string listed_scheduler_names()
{
    return list_of(&Entry::name);
}

base::Result<void> check_scheduler_name(std::string_view name)
{
    if (name.empty() || find_entry(&Entry::name, name) != nullptr) {
        return {};
    }
    return base::fail(base::ExitCode::usage,
                      "unknown scheduler '" + std::string(name) + "'; known: " + listed_scheduler_names());
}

SchedulerConfig::SchedulerConfig(const nlohmann::json& config, std::string where, std::string own_name)
    : config_(std::make_unique<nlohmann::json>(config)), where_(std::move(where)), own_name_(std::move(own_name))
{
}

SchedulerConfig::SchedulerConfig(const SchedulerConfig& other)
    : SchedulerConfig(*other.config_, other.where_, other.own_name_)
{
}

SchedulerConfig::SchedulerConfig(SchedulerConfig&&) noexcept = default;
SchedulerConfig& SchedulerConfig::operator=(SchedulerConfig&&) noexcept = default;
SchedulerConfig::~SchedulerConfig() = default;

base::Result<SchedulerConfig> SchedulerConfig::read(const std::filesystem::path& path)
{
    return ConfigReader::open(path).and_then(
        [](const ConfigReader& reader) { return from_json(reader.json(), reader.where()); });
}

base::Result<SchedulerConfig> SchedulerConfig::from_json(const nlohmann::json& config, const std::string& where)
{
    ConfigReader reader(config, where);
    const std::string class_name = reader.text("_class_name", "");
    const Entry* entry = find_entry(&Entry::class_name, class_name);
    if (entry == nullptr) {
        return base::fail(base::ExitCode::bad_input, where + ": unknown scheduler class '" + class_name +
                                                         "'; this version knows: " + list_of(&Entry::class_name));
    }
    accept_family_keys(reader);
    if (auto fine = reader.finish(); !fine) {
        return tl::unexpected(fine.error());
    }
    SchedulerConfig made(config, where, std::string(entry->name));
    // Every value is read once now, so that a bad one is an error of the folder, not of the first picture.
    constexpr int any_valid_steps = 4;
    if (auto first = made.make("", any_valid_steps); !first && first.error().code == base::ExitCode::bad_input) {
        return tl::unexpected(first.error());
    }
    return made;
}

base::Result<std::unique_ptr<Scheduler>> SchedulerConfig::make(std::string_view name, int steps,
                                                               FileRepairs repairs) const
{
    if (auto known = check_scheduler_name(name); !known) {
        return tl::unexpected(known.error());
    }
    const Entry& own = *find_entry(&Entry::name, own_name_);
    const bool swapped = !name.empty();
    const Entry& chosen = swapped ? *find_entry(&Entry::name, name) : own;
    nlohmann::json config = repaired(*config_, repairs, own.clips_by_default, !swapped);
    if (swapped) {
        config = handed_on(std::move(config), own.class_name);
    }
    if (!chosen.set_key.empty()) {
        config[std::string(chosen.set_key)] = true;
    }
    ConfigReader reader(config, where_);
    return chosen.make(reader, steps);
}

} // namespace sdfleet::pipeline
