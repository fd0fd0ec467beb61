// SPDX-License-Identifier: Apache-2.0
#include "pipeline/generate_request.hpp"

#include "tests/catch.hpp"

#include <cmath>
#include <limits>

using namespace sdfleet;
using pipeline::GenerateRequest;

namespace {

GenerateRequest good()
{
    GenerateRequest request;
    request.prompts = {"a red circle", "a blue square"};
    request.seeds = {1, 2};
    return request;
}

template <class Change>
void check_refused(Change change, const std::string& what)
{
    GenerateRequest request = good();
    change(request);
    const auto checked = pipeline::check_request(request, 8);
    CAPTURE(what);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == base::ExitCode::usage);
    CHECK_THAT(checked.error().message, ContainsSubstring(what));
}

} // namespace

TEST_CASE("a plain request passes")
{
    CHECK(pipeline::check_request(good(), 8));
    GenerateRequest sized = good();
    sized.height = 8;
    sized.width = 4096;
    sized.num_inference_steps = 1000;
    sized.guidance_scale = -3;
    sized.prompts = {std::string(10'000, 'x'), ""};
    CHECK(pipeline::check_request(sized, 8));
}

TEST_CASE("what no model can draw is refused with the reason")
{
    check_refused([](auto& r) { r.num_inference_steps = 0; }, "steps is 0");
    check_refused([](auto& r) { r.num_inference_steps = 1001; }, "from 1 to 1000");
    check_refused([](auto& r) { r.guidance_scale = std::nan(""); }, "guidance");
    check_refused([](auto& r) { r.guidance_scale = std::numeric_limits<double>::infinity(); }, "guidance");
    check_refused([](auto& r) { r.height = 63; }, "height is 63; it must be a multiple of 8");
    check_refused([](auto& r) { r.width = 0; }, "width is 0");
    check_refused([](auto& r) { r.width = -64; }, "width is -64");
    check_refused([](auto& r) { r.width = 4104; }, "to 4096");
    check_refused([](auto& r) { r.scheduler = "magic"; }, "unknown scheduler 'magic'; known: ddim, pndm, euler");
    check_refused([](auto& r) { r.prompts.clear(); }, "no prompt");
    check_refused([](auto& r) { r.seeds.pop_back(); }, "one seed per prompt");
    check_refused([](auto& r) { r.prompts[1] = "\xff"; }, "not valid UTF-8");
    check_refused([](auto& r) { r.prompts[1] = std::string("a\0b", 3); }, "not valid UTF-8");
    check_refused([](auto& r) { r.prompts[1] = std::string(10'001, 'x'); }, "10001 bytes");
    check_refused([](auto& r) { r.negative_prompts = {"\xc0\x80"}; }, "a negative prompt");
    check_refused([](auto& r) { r.negative_prompts = {"a", "b", "c"}; }, "one negative prompt");
}

TEST_CASE("one negative prompt stands for all")
{
    GenerateRequest request = good();
    CHECK_FALSE(pipeline::negative_prompt_of(request, 1));
    request.negative_prompts = {"blur"};
    CHECK(pipeline::negative_prompt_of(request, 1) == "blur");
    request.negative_prompts = {"blur", "noise"};
    CHECK(pipeline::negative_prompt_of(request, 1) == "noise");
}
