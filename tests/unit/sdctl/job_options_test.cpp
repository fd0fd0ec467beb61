// SPDX-License-Identifier: Apache-2.0
#include "sdctl/job_options.hpp"
#include "sdctl/local_model.hpp"
#include "sdctl/model_choice.hpp"
#include "tests/unit/sdctl/scratch_folder.hpp"

#include "tests/catch.hpp"

#include <cmath>
#include <limits>
#include <set>

namespace proto = sdfleet::proto;
namespace sdctl = sdfleet::sdctl;
using sdctl::JobOptions;
using sdfleet::base::ExitCode;
using sdfleet::tests::ScratchFolder;

namespace {

JobOptions two_prompts()
{
    JobOptions options;
    options.prompts = {"a dog", "a cat"};
    return options;
}

std::optional<ExitCode> code_of(JobOptions options)
{
    const auto spec = sdctl::make_job_spec(options);
    return spec ? std::nullopt : std::optional(spec.error().code);
}

} // namespace

TEST_CASE("The picture's seed is the base seed plus its index")
{
    auto options = two_prompts();
    options.seed = 42;
    options.size = "64x128";

    const auto spec = sdctl::make_job_spec(options).value();

    CHECK(spec.items == std::vector<proto::ItemSpec>{{"a dog", 42, {}}, {"a cat", 43, {}}});
    const auto& parameters = std::get<proto::DiffusionParameters>(spec.parameters.kind);
    CHECK(parameters.width == 64);
    CHECK(parameters.height == 128);
    CHECK(parameters.num_inference_steps == 50);
}

TEST_CASE("A random seed is told to the caller")
{
    auto options = two_prompts();
    options.seed = -1;

    const auto spec = sdctl::make_job_spec(options).value();

    CHECK(options.seed >= 0);
    CHECK(spec.items[1].seed == static_cast<std::uint64_t>(options.seed) + 1);
}

TEST_CASE("Bad values are usage errors before anything is asked of a coordinator")
{
    CHECK_FALSE(code_of(two_prompts()));
    auto options = two_prompts();
    SECTION("steps")
    {
        options.steps = 0;
    }
    SECTION("guidance")
    {
        options.guidance_scale = std::numeric_limits<double>::quiet_NaN();
    }
    SECTION("side")
    {
        options.size = "100x64";
    }
    SECTION("size")
    {
        options.size = "64";
    }
    SECTION("rest after size")
    {
        options.size = "64x64 ";
    }
    SECTION("no size")
    {
        options.size = "0x0";
    }
    SECTION("seed")
    {
        options.seed = -2;
    }
    SECTION("no prompt")
    {
        options.prompts.clear();
    }
    SECTION("both kinds of prompts")
    {
        options.prompts_file = "p.txt";
    }
    SECTION("model name")
    {
        options.model = "a/b";
    }
    SECTION("ranks")
    {
        options.split = "rank";
    }
    SECTION("negative prompt")
    {
        options.negative_prompt = "\xFF";
    }
    SECTION("echo with a model")
    {
        options.echo_delay_ms = 1;
        options.model = "tiny";
    }
    CHECK(code_of(options) == ExitCode::usage);
}

TEST_CASE("Ranks are taken from the prompts")
{
    auto options = two_prompts();
    options.prompts = {"1: a dog", "0: a cat"};
    options.split = "rank";

    CHECK(sdctl::make_job_spec(options).value().items ==
          std::vector<proto::ItemSpec>{{"a dog", 0, 1}, {"a cat", 1, 0}});
}

TEST_CASE("Job ids are valid, and differ")
{
    std::set<std::string> ids;
    for (int i = 0; i < 100; ++i) {
        const auto id = sdctl::make_job_id();
        CHECK(proto::is_valid_name(id));
        CHECK(id.size() == 12);
        ids.insert(id);
    }
    CHECK(ids.size() == 100);
}

TEST_CASE("The fleet's only model needs no name")
{
    const proto::ModelReport tiny{"tiny", {"f"}, {{"a"}}, 1};
    const proto::ModelReport mixed{"mixed", {"f", "g"}, {{"a"}, {"b"}}, 2};

    CHECK(sdctl::choose_model("", {{tiny}}).value().name == "tiny");
    CHECK(sdctl::choose_model("tiny", {{tiny, mixed}}).value().fingerprint == "f");
    CHECK(sdctl::choose_model("mixed", {{tiny, mixed}}).value().fingerprint.empty());
    CHECK(sdctl::choose_model("unknown", {{tiny}}).value().name == "unknown");
    const auto several = sdctl::choose_model("", {{mixed, tiny}});
    CHECK(several.error().code == ExitCode::usage);
    CHECK(several.error().message.find("mixed, tiny") != std::string::npos);
    CHECK(sdctl::choose_model("", {}).error().code == ExitCode::failed);
}

TEST_CASE("With --local a model is a folder, or a name to be found")
{
    const ScratchFolder scratch;
    scratch.write("models/mine/model_index.json", "{}");
    scratch.write("models/tiny-shapes/model_index.json", "{}");
    scratch.write("models/empty/readme.txt", "");
    const auto places = std::vector{scratch.path() / "nowhere", scratch.path() / "models"};
    const auto code = [&](const std::string& wanted) { return sdctl::find_local_model(wanted, places).error().code; };

    CHECK(sdctl::find_local_model("mine", places).value().folder == scratch.path() / "models/mine");
    CHECK(sdctl::find_local_model((scratch.path() / "models/mine/").string(), {}).value().name == "mine");
    CHECK(sdctl::find_local_model("", places).value().name == "tiny-shapes");
    CHECK(code("unknown") == ExitCode::bad_input);
    CHECK(code("empty") == ExitCode::bad_input);
    CHECK(code("./nowhere") == ExitCode::bad_input);
}
