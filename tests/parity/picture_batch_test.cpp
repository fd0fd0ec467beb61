// SPDX-License-Identifier: Apache-2.0
// Pictures drawn together, call by call, beside the same pictures drawn alone.
#include "pipeline/picture_batch.hpp"
#include "tests/catch.hpp"
#include "tests/parity/parity.hpp"

#include <map>

using namespace sdfleet;
using pipeline::BatchOptions;
using pipeline::PictureBatch;
using test::largest_difference;
using test::relative_l2;

namespace {

const pipeline::DiffusionPipeline& model()
{
    static const auto loaded = [] {
        pipeline::set_threads(1);
        pipeline::LoadOptions options;
        options.mode = pipeline::ComputeMode::fast;
        return pipeline::DiffusionPipeline::from_pretrained(SDFLEET_SOURCE_DIR "/models/tiny-shapes", options);
    }();
    INFO((loaded ? "" : loaded.error().message));
    REQUIRE(loaded);
    return *loaded;
}

pipeline::GenerateRequest request(const std::string& prompt, std::uint64_t seed, int steps = 4)
{
    pipeline::GenerateRequest request;
    request.prompts = {prompt};
    request.seeds = {seed};
    request.num_inference_steps = steps;
    request.guidance_scale = 4;
    return request;
}

pipeline::Picture draw_alone(const pipeline::GenerateRequest& request)
{
    pipeline::Picture drawn;
    const auto result = model().generate(request, [&](std::size_t, pipeline::Picture&& picture) {
        drawn = std::move(picture);
        return base::Result<void>{};
    });
    INFO((result ? "" : result.error().message));
    REQUIRE(result);
    return drawn;
}

PictureBatch::RowId join(PictureBatch& batch, const pipeline::GenerateRequest& request)
{
    REQUIRE(batch.takes(batch.key_of(request)));
    const auto row = batch.join(request);
    INFO((row ? "" : row.error().message));
    REQUIRE(row);
    return *row;
}

using Pictures = std::map<PictureBatch::RowId, pipeline::Picture>;

void step(PictureBatch& batch, Pictures& pictures)
{
    for (auto& [row, picture] : batch.step().ended) {
        INFO((picture ? "" : picture.error().message));
        REQUIRE(picture);
        pictures.emplace(row, std::move(*picture));
    }
}

Pictures draw_all(PictureBatch& batch)
{
    Pictures pictures;
    while (batch.size() > 0) {
        step(batch, pictures);
    }
    return pictures;
}

void check_same(const pipeline::Picture& ours, const pipeline::Picture& alone)
{
    CHECK(relative_l2(ours.latents.values, alone.latents.values) <= 1e-4);
    CHECK(largest_difference(ours.rgb, alone.rgb) <= 1);
    CHECK(ours.parameters == alone.parameters);
}

} // namespace

TEST_CASE("pictures join and leave a batch between steps, and each is the one that is drawn alone")
{
    auto first = request("a red circle", 11, 5);
    auto second = request("a blue square", 12, 3);
    second.scheduler = "dpmpp_2m";
    second.guidance_scale = 6;
    auto third = request("a green triangle", 13, 4);
    third.scheduler = "euler_a";
    PictureBatch batch(model(), {.max_rows = 3});
    Pictures pictures;

    const auto a = join(batch, first);
    step(batch, pictures);
    const auto b = join(batch, second);
    step(batch, pictures);
    const auto c = join(batch, third);
    CHECK_FALSE(batch.takes(batch.key_of(first))); // full
    pictures.merge(draw_all(batch));

    REQUIRE(pictures.size() == 3);
    check_same(pictures.at(a), draw_alone(first));
    check_same(pictures.at(b), draw_alone(second));
    check_same(pictures.at(c), draw_alone(third));
}

TEST_CASE("every scheduler draws in a batch, those too whose steps are no plain sum")
{
    for (const char* scheduler : {"ddim", "pndm", "euler", "euler_a", "dpmpp_2m", "dpmpp_2m_karras", "unipc"}) {
        CAPTURE(scheduler);
        auto one = request("a red circle", 5, 6);
        auto other = request("a yellow square", 6, 6);
        one.scheduler = other.scheduler = scheduler;
        PictureBatch batch(model(), {.max_rows = 2});

        const auto a = join(batch, one);
        const auto b = join(batch, other);
        const Pictures pictures = draw_all(batch);

        check_same(pictures.at(a), draw_alone(one));
        check_same(pictures.at(b), draw_alone(other));
    }
}

TEST_CASE("with a fixed batch a picture's bytes do not depend on who is drawn beside it")
{
    const auto wanted = request("a red circle", 21, 4);
    const BatchOptions fixed{.max_rows = 3, .fixed = true};
    PictureBatch alone(model(), fixed);
    const auto row = join(alone, wanted);
    const pipeline::Picture expected = draw_all(alone).at(row);

    PictureBatch crowded(model(), fixed);
    Pictures pictures;
    const auto again = join(crowded, wanted);
    join(crowded, request("a blue square", 22, 2));
    step(crowded, pictures);
    join(crowded, request("a green triangle", 23, 7));
    pictures.merge(draw_all(crowded));

    CHECK(pictures.at(again).latents.values == expected.latents.values);
    CHECK(pictures.at(again).rgb == expected.rgb);
}

TEST_CASE("a picture that leaves is not missed by the others")
{
    const auto stays = request("a red circle", 31, 5);
    PictureBatch batch(model(), {.max_rows = 2});
    Pictures pictures;
    const auto leaving = join(batch, request("a blue square", 32, 5));
    const auto row = join(batch, stays);
    step(batch, pictures);

    batch.leave(leaving);
    batch.leave(leaving);

    CHECK(batch.size() == 1);
    pictures.merge(draw_all(batch));
    REQUIRE(pictures.size() == 1);
    check_same(pictures.at(row), draw_alone(stays));
}

TEST_CASE("a batch takes what fits together: size, guidance, length of the text, LoRAs")
{
    const auto first = request("a red circle", 41, 2);
    PictureBatch batch(model(), {.max_rows = 4});
    join(batch, first);
    const auto takes = [&](const auto& change) {
        auto other = first;
        change(other);
        return batch.takes(batch.key_of(other));
    };

    CHECK(takes([](auto& other) { other.num_inference_steps = 9; }));
    CHECK(takes([](auto& other) { other.scheduler = "ddim"; }));
    CHECK(takes([](auto& other) { other.guidance_scale = 2; }));
    CHECK_FALSE(takes([](auto& other) { other.guidance_scale = 1; }));
    CHECK_FALSE(takes([](auto& other) { other.width = 128; }));
    CHECK_FALSE(takes([](auto& other) { other.loras = {{"x.safetensors", 1}}; }));
    CHECK_FALSE(takes([](auto& other) {
        other.prompt_syntax = pipeline::PromptSyntax::a1111;
        for (int i = 0; i < 100; ++i) {
            other.prompts.front() += " circle";
        }
    }));
}

TEST_CASE("progress counts each picture's own calls")
{
    PictureBatch batch(model(), {.max_rows = 2});
    const auto slow = join(batch, request("a red circle", 51, 4));
    batch.step();
    const auto quick = join(batch, request("a blue square", 52, 2));

    const auto advance = batch.step();

    REQUIRE(advance.progress.size() == 2);
    CHECK(advance.progress[0].row == slow);
    CHECK(advance.progress[0].step == 2);
    CHECK(advance.progress[0].steps == 4);
    CHECK(advance.progress[1].row == quick);
    CHECK(advance.progress[1].step == 1);
    CHECK(advance.progress[1].steps == 2);
    CHECK(advance.ended.empty());
}

TEST_CASE("a picture that is decoded in bf16 is the one decoded in fp32, but for what the eye does not see")
{
    const auto wanted = request("a red circle", 61, 4);
    pipeline::LoadOptions options;
    options.mode = pipeline::ComputeMode::fast;
    options.vae_dtype = pipeline::Dtype::bf16;
    const auto coarse = pipeline::DiffusionPipeline::from_pretrained(SDFLEET_SOURCE_DIR "/models/tiny-shapes", options);
    REQUIRE(coarse);
    pipeline::Picture picture;

    REQUIRE(coarse->generate(wanted, [&](std::size_t, pipeline::Picture&& drawn) {
        picture = std::move(drawn);
        return base::Result<void>{};
    }));

    const pipeline::Picture fine = draw_alone(wanted);
    double squares = 0;
    for (std::size_t i = 0; i < fine.rgb.size(); ++i) {
        const int difference = int{picture.rgb[i]} - int{fine.rgb[i]};
        squares += difference * difference;
    }
    CHECK(squares > 0);
    CHECK(10 * std::log10(255.0 * 255.0 * static_cast<double>(fine.rgb.size()) / squares) >= 35);
    CHECK(picture.latents.values == fine.latents.values);
}

TEST_CASE("a request draws its pictures in batches of the size it asks for, each what it is in any company")
{
    auto many = request("a red circle", 71, 3);
    many.prompts = {"a red circle", "a blue square", "a green triangle", "a red circle"};
    many.seeds = {71, 72, 73, 71};
    many.batch_size = 3;
    std::map<std::size_t, pipeline::Picture> pictures;
    std::vector<int> steps;

    REQUIRE(model().generate(
        many,
        [&](std::size_t index, pipeline::Picture&& picture) {
            pictures.emplace(index, std::move(picture));
            return base::Result<void>{};
        },
        [&](int step, int total) {
            CHECK(total == 12);
            steps.push_back(step);
            return true;
        }));

    REQUIRE(pictures.size() == 4);
    CHECK(steps == std::vector<int>{3, 6, 9, 10, 11, 12});
    CHECK(pictures.at(3).rgb == pictures.at(0).rgb); // alone in its batch, and in the first row of a full one
    check_same(pictures.at(1), draw_alone(request("a blue square", 72, 3)));
}
