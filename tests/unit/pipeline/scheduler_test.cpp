// SPDX-License-Identifier: Apache-2.0
#include "pipeline/scheduler.hpp"

#include <cmath>
#include <fstream>

#include <ATen/TensorOperators.h>
#include <nlohmann/json.hpp>

#undef CHECK // c10's logging defines one, too
#include "tests/catch.hpp"

using namespace sdfleet;
using nlohmann::json;
using pipeline::SchedulerConfig;

namespace {

const json& golden()
{
    static const json document =
        json::parse(std::ifstream(SDFLEET_SOURCE_DIR "/tests/unit/pipeline/scheduler_golden.json"));
    return document;
}

SchedulerConfig read(const json& config)
{
    auto read = SchedulerConfig::from_json(config, "scheduler_config.json");
    INFO((read ? "" : read.error().message));
    REQUIRE(read);
    return std::move(*read);
}

base::Error error_of(const json& config)
{
    const auto read = SchedulerConfig::from_json(config, "scheduler_config.json");
    REQUIRE_FALSE(read);
    return read.error();
}

/// What make_scheduler_golden.py runs in place of a denoiser.
at::Tensor stand_in(const at::Tensor& input, double timestep)
{
    return input * 0.3F + 0.01 * timestep / 1000;
}

} // namespace

TEST_CASE("schedulers follow the trajectories of the reference implementation")
{
    for (const json& run : golden()["runs"]) {
        CAPTURE(run["config"].dump(), run["steps"].get<int>());
        const auto made = read(run["config"]).make(run["scheduler"].get<std::string>(), run["steps"].get<int>());
        REQUIRE(made);
        pipeline::Scheduler& scheduler = **made;
        REQUIRE(scheduler.timesteps().size() == run["timesteps"].size());
        for (std::size_t i = 0; i < scheduler.timesteps().size(); ++i) {
            CHECK(scheduler.timesteps()[i] == Approx(run["timesteps"][i].get<double>()).epsilon(1e-5).margin(1e-3));
        }
        CHECK(scheduler.init_noise_sigma() == Approx(run["init_noise_sigma"].get<double>()).epsilon(1e-5));

        pipeline::NoiseSource source(0);
        at::Tensor sample = source.draw({1, 4, 8, 8}) * scheduler.init_noise_sigma();
        for (std::size_t i = 0; i < scheduler.timesteps().size(); ++i) {
            const at::Tensor input = scheduler.scale_model_input(sample, i);
            sample = scheduler.step(stand_in(input, scheduler.timesteps()[i]), i, sample, source);
        }
        const at::Tensor flat = sample.flatten().to(at::kDouble);
        const double scale = run["std"].get<double>();
        for (std::size_t i = 0; i < run["first"].size(); ++i) {
            const double value = flat[static_cast<std::int64_t>(i)].item<double>();
            CHECK(value == Approx(run["first"][i].get<double>()).epsilon(1e-4).margin(1e-5 * scale));
        }
        CHECK(flat.mean().item<double>() == Approx(run["mean"].get<double>()).epsilon(1e-4).margin(1e-6));
        CHECK(flat.std().item<double>() == Approx(scale).epsilon(1e-4));
    }
}

TEST_CASE("the folder's own scheduler has steps_offset 1 and does not clip, whatever an old file says")
{
    const auto config = read({{"_class_name", "DDIMScheduler"}, {"steps_offset", 0}});
    CHECK((*config.make("", 4))->timesteps() == std::vector<double>{751, 501, 251, 1});
}

TEST_CASE("another scheduler takes what the file spells out and its own defaults for the rest")
{
    const auto silent = read({{"_class_name", "PNDMScheduler"}, {"skip_prk_steps", true}});
    CHECK((*silent.make("euler", 4))->timesteps() == std::vector<double>{999, 666, 333, 0}); // linspace
    CHECK((*silent.make("ddim", 4))->timesteps() == std::vector<double>{750, 500, 250, 0});  // leading, no offset

    const auto spelled = read({{"_class_name", "PNDMScheduler"}, {"skip_prk_steps", true}, {"steps_offset", 0}});
    CHECK((*spelled.make("ddim", 4))->timesteps() == std::vector<double>{751, 501, 251, 1}); // forced to 1
}

TEST_CASE("an unknown scheduler name is a usage error that lists the known ones")
{
    const auto made = read({{"_class_name", "DDIMScheduler"}}).make("heun", 4);
    REQUIRE_FALSE(made);
    CHECK(made.error().code == base::ExitCode::usage);
    CHECK(made.error().message == "unknown scheduler 'heun'; known: ddim, pndm, euler");
}

TEST_CASE("a number of steps that the scheduler cannot make is a usage error")
{
    const auto offset = read({{"_class_name", "DDIMScheduler"}, {"steps_offset", 1}});
    CHECK(offset.make("", 999));
    CHECK(offset.make("", 1000).error().code == base::ExitCode::usage); // would need timestep 1000
    const auto runge_kutta = read({{"_class_name", "PNDMScheduler"}});
    CHECK(runge_kutta.make("", 3).error().code == base::ExitCode::usage);
    CHECK(runge_kutta.make("", 4));
}

TEST_CASE("a bad scheduler config is refused with the key at fault")
{
    const auto check = [](const json& config, const std::string& part) {
        const auto error = error_of(config);
        CHECK(error.code == base::ExitCode::bad_input);
        CHECK_THAT(error.message, ContainsSubstring(part));
    };
    check({{"_class_name", "HeunDiscreteScheduler"}}, "HeunDiscreteScheduler");
    check({{"_class_name", "DDIMScheduler"}, {"novel_key", 3}}, "novel_key");
    check({{"_class_name", "DDIMScheduler"}, {"beta_schedule", "sigmoid"}}, "beta_schedule");
    check({{"_class_name", "DDIMScheduler"}, {"beta_start", "low"}}, "beta_start");
    check({{"_class_name", "DDIMScheduler"}, {"num_train_timesteps", -5}}, "num_train_timesteps");
    check({{"_class_name", "PNDMScheduler"}, {"prediction_type", "sample"}}, "prediction_type");
    check({{"_class_name", "EulerDiscreteScheduler"}, {"use_karras_sigmas", true}, {"use_beta_sigmas", true}},
          "more than one");
    check(json::object(), "unknown scheduler class");
}

TEST_CASE("keys of other classes, private keys and nulls are let pass")
{
    read({{"_class_name", "EulerDiscreteScheduler"},
          {"_diffusers_version", "0.1"},
          {"skip_prk_steps", true},
          {"solver_order", 2},
          {"novel_key", nullptr}});
}
