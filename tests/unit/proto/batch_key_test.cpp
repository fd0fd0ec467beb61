// SPDX-License-Identifier: Apache-2.0
#include "proto/batch_key.hpp"

#include "tests/catch.hpp"

using namespace sdfleet::proto;

TEST_CASE("pictures of one model and size share a batch, whatever else they are")
{
    DiffusionParameters one;
    one.width = 512;
    one.height = 768;
    DiffusionParameters other = one;
    other.num_inference_steps = 7;
    other.guidance_scale = 2;
    other.scheduler = "euler";
    other.negative_prompt = "blurry";

    REQUIRE(batch_key("sd", {one}) == batch_key("sd", {other}));
}

TEST_CASE("another model, size or kind of work is another batch")
{
    DiffusionParameters upright;
    upright.width = 512;
    upright.height = 768;
    DiffusionParameters lying = upright;
    std::swap(lying.width, lying.height);

    REQUIRE(batch_key("sd", {upright}) != batch_key("sd", {lying}));
    REQUIRE(batch_key("sd", {upright}) != batch_key("sdxl", {upright}));
    REQUIRE(batch_key("", {EchoParameters{10, 0}}) != batch_key("", {DiffusionParameters{}}));
    REQUIRE(batch_key("", {EchoParameters{10, 0}}) != batch_key("", {EchoParameters{20, 0}}));
    REQUIRE(batch_key("", {EchoParameters{10, 0}}) == batch_key("", {EchoParameters{10, 5}}));
}
