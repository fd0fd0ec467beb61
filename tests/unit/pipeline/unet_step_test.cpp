// SPDX-License-Identifier: Apache-2.0
#include "pipeline/unet_step.hpp"

#include "kernels/cpu_kernels.hpp"
#include "pipeline/model_folder.hpp"
#include "pipeline/pipeline_parts.hpp"
#include "tests/unit/pipeline/replayed_work.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>

#undef CHECK // c10's logging defines one, too
#include "tests/catch.hpp"

using namespace sdfleet;
using namespace sdfleet::pipeline;

namespace {

PipelineParts load()
{
    auto loaded = PipelineParts::load(SDFLEET_SOURCE_DIR "/models/tiny-shapes",
                                      at::TensorOptions().device(at::kCPU).dtype(at::kFloat));
    REQUIRE(loaded);
    return std::move(*loaded);
}

struct Model {
    c10::InferenceMode inference;
    PipelineParts parts = load();
    fast::UNet unet{parts.unet, FusedOperators(kernels::cpu_kernels())};

    fast::RowContext context(float scale) const
    {
        UNetConditions conditions;
        conditions.text = at::randn({2, 77, parts.unet.config().cross_attention_dim}) * scale;
        return unet.encode_context(conditions, {900, 500, 100});
    }
};

} // namespace

TEST_CASE("a recorded step computes what an unrecorded one computes, with new numbers in the same place")
{
    const Model model;
    const fast::StepShape shape{1, 2, 8, 8, 77};
    const auto options = at::TensorOptions().dtype(at::kFloat);
    fast::UNetStep plain(model.unet, shape, 4, options);
    fast::UNetStep recorded(model.unet, shape, 4, options);
    test::ReplayingRecorder recording;
    const Recorder recorder = recording.recorder();
    for (int call = 0; call < 3; ++call) {
        CAPTURE(call);
        const auto context = model.context(static_cast<float>(call + 1));
        const at::Tensor sample = at::randn({2, 4, 8, 8});
        for (fast::UNetStep* step : {&plain, &recorded}) {
            step->set_context(0, context);
            step->set_call(0, context, call);
            step->input().copy_(sample);
        }

        CHECK(at::equal(recorded.run(recorder), plain.run({})));
    }
    CHECK(recording.recordings == 1);
    CHECK(recording.replays == 3);
}

TEST_CASE("only the steps of the latest shapes are kept")
{
    const Model model;
    fast::UNetSteps steps(model.unet, 4, at::TensorOptions().dtype(at::kFloat));
    for (std::int64_t i = 0; i < 2 * static_cast<std::int64_t>(fast::UNetSteps::max_kept); ++i) {
        CHECK(steps.of({1, 1, 8 + i, 8, 77}).shape().height == 8 + i);
    }

    CHECK(steps.kept() == fast::UNetSteps::max_kept);
    fast::UNetStep* again = &steps.of({1, 1, 20, 8, 77});
    CHECK(&steps.of({1, 1, 20, 8, 77}) == again);
}
