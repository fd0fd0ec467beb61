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

std::shared_ptr<const pipeline::InputImage> image(int width, int height)
{
    const auto bytes = static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3;
    return std::make_shared<pipeline::InputImage>(
        pipeline::InputImage{width, height, std::vector<std::uint8_t>(bytes), ""});
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

TEST_CASE("images and strength are refused where they make no sense")
{
    check_refused([](auto& r) { r.strength = 0.5; }, "strength needs an init image");
    check_refused([](auto& r) { r.mask_image = image(8, 8); }, "a mask image needs an init image");
    for (const double strength : {0.0, -0.1, 1.01, std::nan("")}) {
        check_refused(
            [&](auto& r) {
                r.init_image = image(8, 8);
                r.strength = strength;
            },
            "strength must be above 0 and at most 1");
    }
    check_refused(
        [](auto& r) {
            r.init_image = image(8, 8);
            r.strength = 0.2;
            r.num_inference_steps = 4;
        },
        "less than one of 4 steps");
    check_refused([](auto& r) { r.init_image = std::make_shared<pipeline::InputImage>(); }, "the init image is empty");
    check_refused(
        [](auto& r) {
            r.init_image = image(8, 8);
            r.mask_image = std::make_shared<pipeline::InputImage>(pipeline::InputImage{8, 8, {1, 2, 3}, ""});
        },
        "the mask image is empty, or not as large");
}

TEST_CASE("strength says how many of the steps are drawn, rounded down")
{
    GenerateRequest request = good();
    CHECK(pipeline::steps_to_draw(request) == 50);
    request.init_image = image(8, 8);
    CHECK(pipeline::strength_of(request) == 0.8);
    CHECK(pipeline::steps_to_draw(request) == 40);
    CHECK(pipeline::check_request(request, 8));
    request.mask_image = image(4, 4);
    CHECK(pipeline::strength_of(request) == 1.0);
    request.strength = 0.29; // 0.29 * 100 is a little less than 29 in floating point, and in diffusers
    request.num_inference_steps = 100;
    CHECK(pipeline::steps_to_draw(request) == 28);
    request.strength = 0.9999;
    request.num_inference_steps = 50;
    CHECK(pipeline::steps_to_draw(request) == 49);
    request.strength = 0.25;
    request.num_inference_steps = 4;
    CHECK(pipeline::steps_to_draw(request) == 1);
}
