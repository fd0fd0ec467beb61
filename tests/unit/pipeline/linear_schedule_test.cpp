// SPDX-License-Identifier: Apache-2.0
#include "pipeline/linear_schedule.hpp"

#include <deque>
#include <fstream>

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros_like.h>
#include <nlohmann/json.hpp>

#undef CHECK // c10's logging defines one, too
#include "tests/catch.hpp"

using namespace sdfleet;
using nlohmann::json;
using pipeline::LinearSchedule;
using pipeline::LinearTerm;

namespace {

/// What a denoiser would be to both: any function of its input and the time.
at::Tensor stand_in(const at::Tensor& input, double timestep)
{
    return (input * 0.7F).sin() + 0.1F * static_cast<float>(timestep) / 1000.0F;
}

std::unique_ptr<pipeline::Scheduler> make(const json& run)
{
    auto config = pipeline::SchedulerConfig::from_json(run["config"], "scheduler_config.json");
    REQUIRE(config);
    auto made = config->make(run["scheduler"].get<std::string>(), run["steps"].get<int>(), pipeline::FileRepairs::none);
    REQUIRE(made);
    return std::move(*made);
}

const at::Tensor& calls_ago(const std::deque<at::Tensor>& newest_first, std::size_t calls)
{
    REQUIRE(calls < newest_first.size());
    return newest_first[calls];
}

/// Walks a schedule's numbers as a kernel would.
at::Tensor walk(const LinearSchedule& schedule, const pipeline::Scheduler& scheduler, at::Tensor sample,
                pipeline::NoiseSource& source)
{
    std::deque<at::Tensor> samples;
    std::deque<at::Tensor> predictions;
    for (std::size_t i = 0; i < scheduler.timesteps().size(); ++i) {
        const auto& step = schedule.step(i);
        samples.push_front(sample);
        predictions.push_front(stand_in(sample * step.input_scale, scheduler.timesteps()[i]));
        const at::Tensor noise = step.draws_noise ? source.draw_like(sample) : at::Tensor();
        at::Tensor next = at::zeros_like(sample);
        for (const LinearTerm& term : step.terms) {
            next += term.factor * (term.of == LinearTerm::Of::noise    ? noise
                                   : term.of == LinearTerm::Of::sample ? calls_ago(samples, term.calls_ago)
                                                                       : calls_ago(predictions, term.calls_ago));
        }
        sample = next;
        if (samples.size() > schedule.calls_kept()) {
            samples.pop_back();
            predictions.pop_back();
        }
    }
    return sample;
}

} // namespace

TEST_CASE("a schedule's numbers take a sample where its scheduler takes it")
{
    const json golden = json::parse(std::ifstream(SDFLEET_SOURCE_DIR "/tests/unit/pipeline/scheduler_golden.json"));
    std::map<std::string, int> derived;
    for (const json& run : golden["runs"]) {
        const auto name = run["scheduler"].get<std::string>();
        CAPTURE(name, run["config"].dump(), run["steps"].get<int>());
        const auto schedule = LinearSchedule::derive(*make(run));
        if (!schedule) {
            continue;
        }
        ++derived[name];
        const auto scheduler = make(run);
        pipeline::NoiseSource own(7);
        pipeline::NoiseSource other(7);
        at::Tensor expected = own.draw({1, 4, 3, 5}) * scheduler->init_noise_sigma();
        const at::Tensor start = other.draw({1, 4, 3, 5}) * scheduler->init_noise_sigma();
        for (std::size_t i = 0; i < scheduler->timesteps().size(); ++i) {
            const at::Tensor input = scheduler->scale_model_input(expected, i);
            expected = scheduler->step(stand_in(input, scheduler->timesteps()[i]), i, expected, own);
        }

        const at::Tensor walked = walk(*schedule, *scheduler, start, other);

        CHECK((walked - expected).abs().max().item<double>() <= 2e-4 * expected.abs().max().item<double>());
    }
    // Those that pictures are drawn with most must be among them.
    for (const char* name : {"ddim", "pndm", "euler", "euler_a", "dpmpp_2m", "lcm"}) {
        INFO(name);
        CHECK(derived[name] > 0);
    }
}

TEST_CASE("what clips or thresholds has no such numbers")
{
    const json clipping{{"_class_name", "DDIMScheduler"}, {"clip_sample", true}, {"num_train_timesteps", 1000}};
    json run{{"config", clipping}, {"scheduler", "ddim"}, {"steps", 5}};

    CHECK_FALSE(LinearSchedule::derive(*make(run)));

    run["config"]["clip_sample"] = false;
    CHECK(LinearSchedule::derive(*make(run)));
}
