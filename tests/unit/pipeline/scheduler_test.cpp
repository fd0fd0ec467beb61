// SPDX-License-Identifier: Apache-2.0
#include "pipeline/scheduler.hpp"
#include "tests/unit/pipeline/temp_model.hpp"

#include <cmath>
#include <fstream>

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/ones.h>
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
    return input * 0.3F + 0.01F * static_cast<float>(timestep) / 1000.0F;
}

/// Relative to the sample's own size.
constexpr double tolerance = 1e-5;

void check_summary(const at::Tensor& sample, const json& expected)
{
    const at::Tensor flat = sample.flatten().to(at::kDouble);
    const double scale = expected["std"].get<double>();
    for (std::size_t i = 0; i < expected["first"].size(); ++i) {
        CHECK(flat[static_cast<std::int64_t>(i)].item<double>() ==
              Approx(expected["first"][i].get<double>()).margin(tolerance * scale).epsilon(0));
    }
    CHECK(flat.mean().item<double>() == Approx(expected["mean"].get<double>()).margin(tolerance * scale).epsilon(0));
    CHECK(flat.std().item<double>() == Approx(scale).epsilon(tolerance));
}

} // namespace

TEST_CASE("schedulers follow the trajectories of the reference implementation")
{
    for (const json& run : golden()["runs"]) {
        CAPTURE(run["config"].dump(), run["steps"].get<int>(), run.value("begin", -1));
        const auto made =
            read(run["config"])
                .make(run["scheduler"].get<std::string>(), run["steps"].get<int>(), pipeline::FileRepairs::none);
        REQUIRE(made);
        pipeline::Scheduler& scheduler = **made;
        REQUIRE(scheduler.timesteps().size() == run["timesteps"].size());
        for (std::size_t i = 0; i < scheduler.timesteps().size(); ++i) {
            CHECK(scheduler.timesteps()[i] == Approx(run["timesteps"][i].get<double>()).epsilon(1e-6).margin(1e-4));
        }
        CHECK(scheduler.init_noise_sigma() == Approx(run["init_noise_sigma"].get<double>()).epsilon(1e-6));

        pipeline::NoiseSource source(0);
        at::Tensor sample = source.draw({1, 4, 8, 8});
        const std::size_t begin = run.value("begin", std::size_t{0});
        if (run.contains("begin")) {
            const at::Tensor original = source.draw({1, 4, 8, 8}) * 0.5;
            sample = scheduler.add_noise(original, sample, begin);
            check_summary(sample, run["noised"]);
            scheduler.begin_at(begin);
        } else {
            sample = sample * scheduler.init_noise_sigma();
        }
        for (std::size_t i = begin; i < scheduler.timesteps().size(); ++i) {
            const at::Tensor input = scheduler.scale_model_input(sample, i);
            sample = scheduler.step(stand_in(input, scheduler.timesteps()[i]), i, sample, source);
        }
        check_summary(sample, run);
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

TEST_CASE("what a pipeline repairs in an old file depends on the pipeline")
{
    using pipeline::FileRepairs;
    const auto first = [](const SchedulerConfig& config, std::string_view name, FileRepairs repairs) {
        return (*config.make(name, 4, repairs))->timesteps().front();
    };
    const auto pndm = read({{"_class_name", "PNDMScheduler"}, {"skip_prk_steps", false}, {"steps_offset", 0}});
    CHECK(first(pndm, "", FileRepairs::none) == 750);
    CHECK(first(pndm, "", FileRepairs::stable_diffusion) == 751);
    CHECK(first(pndm, "", FileRepairs::inpainting) == 751);
    CHECK((*pndm.make("", 4, FileRepairs::stable_diffusion))->timesteps().size() == 13);
    CHECK((*pndm.make("", 4, FileRepairs::inpainting))->timesteps().size() == 5);
    CHECK((*pndm.make("pndm", 4, FileRepairs::inpainting))->timesteps().size() == 5);
}

TEST_CASE("a class's own defaults differ where the file is silent")
{
    const auto silent = read({{"_class_name", "PNDMScheduler"}, {"skip_prk_steps", true}});
    CHECK((*silent.make("dpmpp_2m", 4))->timesteps() == std::vector<double>{999, 749, 500, 250});
    CHECK((*silent.make("unipc", 4))->timesteps() == std::vector<double>{999, 749, 500, 250});
    CHECK((*silent.make("euler_a", 4))->timesteps() == std::vector<double>{999, 666, 333, 0});
    CHECK((*silent.make("lcm", 4))->timesteps() == std::vector<double>{999, 759, 499, 259});
    // lcm's betas: its first alpha is 1 - 0.00085, not 1 - 0.0001
    const at::Tensor one = at::ones({1});
    const auto lcm = silent.make("lcm", 50);
    CHECK((*lcm)->add_noise(one, one * 0, 49).item<double>() == Approx(0.991082).margin(1e-5)); // sqrt(alpha) at 19
}

TEST_CASE("dpmpp_2m_karras is dpmpp_2m with Karras sigmas, and a folder of its class is called dpmpp_2m")
{
    const auto folder = read({{"_class_name", "DPMSolverMultistepScheduler"}});
    CHECK(folder.own_name() == "dpmpp_2m");
    const auto karras = read({{"_class_name", "DPMSolverMultistepScheduler"}, {"use_karras_sigmas", true}});
    CHECK((*folder.make("dpmpp_2m_karras", 4))->timesteps() == (*karras.make("", 4))->timesteps());
    CHECK((*folder.make("dpmpp_2m_karras", 4))->timesteps() != (*folder.make("dpmpp_2m", 4))->timesteps());
    const auto beta = read({{"_class_name", "DPMSolverMultistepScheduler"}, {"use_beta_sigmas", true}});
    CHECK(beta.make("dpmpp_2m_karras", 4).error().code == base::ExitCode::bad_input);
}

TEST_CASE("a solver type of another class is replaced before it is handed on")
{
    // Twenty steps tell midpoint from heun.
    const auto last = [](const SchedulerConfig& config) {
        const auto made = config.make("dpmpp_2m", 20);
        pipeline::NoiseSource source(0);
        at::Tensor sample = source.draw({1, 4, 8, 8});
        for (std::size_t i = 0; i < 20; ++i) {
            sample = (*made)->step(sample * 0.3, i, sample, source);
        }
        return sample;
    };
    const at::Tensor midpoint = last(read({{"_class_name", "DDIMScheduler"}, {"solver_type", "midpoint"}}));
    const at::Tensor heun = last(read({{"_class_name", "DDIMScheduler"}, {"solver_type", "heun"}}));
    const at::Tensor from_unipc = last(read({{"_class_name", "UniPCMultistepScheduler"}, {"solver_type", "heun"}}));
    CHECK_FALSE(at::equal(midpoint, heun));
    CHECK(at::equal(from_unipc, midpoint));
}

TEST_CASE("steps from far above stay finite")
{
    for (const auto& [name, config] :
         {std::pair<std::string, json>{"euler_a", {{"beta_schedule", "squaredcos_cap_v2"}}},
          {"unipc", {{"solver_type", "bh1"}}}}) {
        json whole = config;
        whole["_class_name"] = "DDIMScheduler";
        const auto made = read(whole).make(name, 4);
        pipeline::NoiseSource source(0);
        at::Tensor sample = source.draw({1, 4, 8, 8}) * (*made)->init_noise_sigma();
        for (std::size_t i = 0; i < 4; ++i) {
            sample = (*made)->step((*made)->scale_model_input(sample, i) * 0.3, i, sample, source);
        }
        CAPTURE(name);
        CHECK(at::isfinite(sample).all().item<bool>());
    }
}

TEST_CASE("a config as Python writes it, with an infinity, can be read")
{
    const test::TempModel model;
    const std::string file = "scheduler/scheduler_config.json";
    const auto first_of = [&](const std::string& value) {
        model.write(file, R"({"_class_name": "DPMSolverMultistepScheduler", "_note": "-Infinity \" NaN",)"
                          R"( "beta_schedule": "squaredcos_cap_v2", "lambda_min_clipped": )" +
                              value + "}");
        const auto config = SchedulerConfig::read(model.path() / file);
        REQUIRE(config);
        return (*config->make("", 4))->timesteps().front();
    };
    CHECK(first_of("-Infinity") == 999);
    CHECK(first_of("-5.1") == 995);
    model.write(file, R"({"_class_name": "DDIMScheduler", "beta_start": -Infinity})");
    CHECK_THAT(SchedulerConfig::read(model.path() / file).error().message, ContainsSubstring("beta_start"));
}

TEST_CASE("a noise source draws on, and counts seeds modulo 2^32")
{
    pipeline::NoiseSource source(0);
    const at::Tensor first = source.draw({4});
    CHECK(first[0].item<double>() == Approx(1.5409961).epsilon(1e-6)); // fewer than sixteen numbers: another order
    const at::Tensor second = source.draw({4});
    CHECK_FALSE(at::equal(first, second));
    pipeline::NoiseSource again(std::uint64_t{1} << 32U);
    CHECK(at::equal(again.draw({4}), first));
    CHECK(at::equal(again.draw_like(first.to(at::kHalf)), second.to(at::kHalf)));
}

TEST_CASE("an unknown scheduler name is a usage error that lists the known ones")
{
    const auto made = read({{"_class_name", "DDIMScheduler"}}).make("heun", 4);
    REQUIRE_FALSE(made);
    CHECK(made.error().code == base::ExitCode::usage);
    CHECK(made.error().message ==
          "unknown scheduler 'heun'; known: ddim, pndm, euler, euler_a, dpmpp_2m, dpmpp_2m_karras, unipc, lcm");
}

TEST_CASE("a number of steps that the scheduler cannot make is a usage error")
{
    const auto offset = read({{"_class_name", "DDIMScheduler"}, {"steps_offset", 1}});
    CHECK(offset.make("", 999));
    CHECK(offset.make("", 1000).error().code == base::ExitCode::usage); // would need timestep 1000
    const auto runge_kutta = read({{"_class_name", "PNDMScheduler"}});
    CHECK(runge_kutta.make("", 3).error().code == base::ExitCode::usage);
    CHECK(runge_kutta.make("", 4));
    CHECK(offset.make("lcm", 50));
    CHECK(offset.make("lcm", 51).error().code == base::ExitCode::usage); // original_inference_steps
    const auto leading = read({{"_class_name", "UniPCMultistepScheduler"}, {"timestep_spacing", "leading"}});
    CHECK(leading.make("", 499));
    CHECK(leading.make("", 1000).error().code == base::ExitCode::usage); // no stride left
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
    check({{"_class_name", "EulerAncestralDiscreteScheduler"}, {"prediction_type", "sample"}}, "prediction_type");
    for (const char* name : {"DPMSolverMultistepScheduler", "UniPCMultistepScheduler"}) {
        check({{"_class_name", name}, {"use_flow_sigmas", true}}, "use_flow_sigmas");
        check({{"_class_name", name}, {"use_dynamic_shifting", true}}, "use_dynamic_shifting");
        check({{"_class_name", name}, {"prediction_type", "flow_prediction"}}, "prediction_type");
        check({{"_class_name", name}, {"solver_order", 4}}, "solver_order");
        check({{"_class_name", name}, {"solver_type", "bh3"}}, "solver_type");
    }
    const auto dpm = [](json config) {
        config["_class_name"] = "DPMSolverMultistepScheduler";
        return config;
    };
    check(dpm({{"variance_type", "learned_range"}}), "variance_type");
    check(dpm({{"lambda_min_clipped", 100}, {"timestep_spacing", "trailing"}}), "lambda_min_clipped");
    check(dpm({{"algorithm_type", "dpmsolver"}}), "final_sigmas_type");
    check(dpm({{"algorithm_type", "sde-dpmsolver"}, {"final_sigmas_type", "sigma_min"}, {"solver_order", 3}}),
          "solver_order");
    const auto unipc = [](json config) {
        config["_class_name"] = "UniPCMultistepScheduler";
        return config;
    };
    check(unipc({{"solver_p", {{"_class_name", "DDIMScheduler"}}}}), "solver_p");
    check(unipc({{"shift_terminal", 0.1}}), "shift_terminal");
    check(unipc({{"predict_x0", false}}), "predict_x0");
    check(unipc({{"lower_order_final", false}}), "lower_order_final");
    check({{"_class_name", "LCMScheduler"}, {"original_inference_steps", 2000}}, "original_inference_steps");
    check(json::object(), "unknown scheduler class");
}

TEST_CASE("absurd but readable values do no harm")
{
    const auto tiny = read({{"_class_name", "EulerDiscreteScheduler"}, {"trained_betas", {0.5, 0.6}}});
    for (const std::string& name : pipeline::scheduler_names()) {
        tiny.make(name, 1);
        CHECK(tiny.make(name, 1000000).error().code == base::ExitCode::usage);
    }
    CHECK((*tiny.make("dpmpp_2m_karras", 1))->timesteps() == std::vector<double>{1});
    const auto corrector = read({{"_class_name", "UniPCMultistepScheduler"}, {"disable_corrector", {-1, 1e300}}});
    CHECK(corrector.make("", 4));
}

TEST_CASE("keys of other classes, private keys and nulls are let pass")
{
    read({{"_class_name", "EulerDiscreteScheduler"},
          {"_diffusers_version", "0.1"},
          {"skip_prk_steps", true},
          {"solver_order", 2},
          {"novel_key", nullptr}});
}
