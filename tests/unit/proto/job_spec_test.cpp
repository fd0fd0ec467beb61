// SPDX-License-Identifier: Apache-2.0
#include "proto/job_spec.hpp"

#include "tests/catch.hpp"

#include <limits>

namespace proto = sdfleet::proto;

namespace {

proto::JobSpec drawing(std::vector<std::string> prompts)
{
    proto::JobSpec spec;
    spec.model = "tiny-shapes";
    for (auto& prompt : prompts) {
        spec.items.push_back({std::move(prompt), spec.items.size(), std::nullopt});
    }
    return spec;
}

proto::DiffusionParameters& parameters_of(proto::JobSpec& spec)
{
    return std::get<proto::DiffusionParameters>(spec.parameters.kind);
}

bool mentions(const std::optional<std::string>& fault, const std::string& word)
{
    return fault && fault->find(word) != std::string::npos;
}

} // namespace

TEST_CASE("a plain drawing job is without fault")
{
    REQUIRE(find_fault(drawing({"a red circle", "a blue square"})) == std::nullopt);
}

TEST_CASE("each unusable value is named")
{
    auto spec = drawing({"a red circle"});

    SECTION("no prompt at all")
    {
        spec.items.clear();
        REQUIRE(mentions(find_fault(spec), "at least one prompt"));
    }
    SECTION("no steps")
    {
        parameters_of(spec).num_inference_steps = 0;
        REQUIRE(mentions(find_fault(spec), "steps"));
    }
    SECTION("guidance that is no number")
    {
        parameters_of(spec).guidance_scale = std::numeric_limits<double>::quiet_NaN();
        REQUIRE(mentions(find_fault(spec), "guidance"));
    }
    SECTION("a size that is not a multiple of 8")
    {
        parameters_of(spec).width = 65;
        REQUIRE(mentions(find_fault(spec), "width"));
    }
    SECTION("a prompt beyond the limit")
    {
        spec.items[0].prompt.assign(proto::max_prompt_bytes + 1, 'x');
        REQUIRE(mentions(find_fault(spec), "prompt 0"));
    }
    SECTION("a model name that could leave a folder")
    {
        spec.model = "../x";
        REQUIRE(mentions(find_fault(spec), "model name"));
    }
    SECTION("a rank without the split that takes it, and the split without a rank")
    {
        spec.items[0].rank = 0;
        REQUIRE(mentions(find_fault(spec), "rank"));
        spec.items[0].rank = std::nullopt;
        spec.split = proto::Split::rank;
        REQUIRE(mentions(find_fault(spec), "rank"));
    }
}

TEST_CASE("echo takes no model and bounded sizes")
{
    proto::JobSpec spec;
    spec.items.push_back({"payload", 0, std::nullopt});
    spec.parameters.kind = proto::EchoParameters{10, 100};
    REQUIRE(find_fault(spec) == std::nullopt);

    spec.model = "tiny-shapes";
    REQUIRE(mentions(find_fault(spec), "no model"));

    spec.model.clear();
    spec.parameters.kind = proto::EchoParameters{10, proto::max_echo_bytes + 1};
    REQUIRE(mentions(find_fault(spec), "echo"));
}

TEST_CASE("names are safe as file names")
{
    REQUIRE(proto::is_valid_name("node-a_1.lab"));
    for (const auto* name : {"", ".", "..", "a/b", "a b", "\xC3\xA9"}) {
        REQUIRE_FALSE(proto::is_valid_name(name));
    }
    REQUIRE_FALSE(proto::is_valid_name(std::string(65, 'a')));
}
