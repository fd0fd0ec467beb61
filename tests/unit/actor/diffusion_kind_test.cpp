// SPDX-License-Identifier: Apache-2.0
#include "actor/diffusion_kind.hpp"

#include "tests/catch.hpp"

#include <algorithm>
#include <map>
#include <vector>

using namespace sdfleet;
using namespace sdfleet::actor;
using proto::FailureReason;

namespace {

ActorSettings settings_with(const std::filesystem::path& folder)
{
    ActorSettings settings;
    settings.models = {{"tiny", folder}};
    return settings;
}

ActorSettings tiny_shapes()
{
    return settings_with(std::filesystem::path(SDFLEET_SOURCE_DIR) / "models/tiny-shapes");
}

proto::Assign picture_of(const std::string& prompt, std::uint32_t steps = 2)
{
    proto::DiffusionParameters parameters;
    parameters.num_inference_steps = steps;
    proto::Assign assign;
    assign.model = "tiny";
    assign.parameters.kind = parameters;
    assign.item = {prompt, 7, {}};
    return assign;
}

WorkContext quiet(std::stop_token token = {})
{
    return {std::move(token), [](std::uint32_t, std::uint32_t) {}};
}

} // namespace

TEST_CASE("a picture is a PNG, with every step reported, and the same bytes each time")
{
    DiffusionKind kind(tiny_shapes());
    REQUIRE(kind.start());
    std::vector<std::uint32_t> steps;

    const auto first = kind.handle(picture_of("a red circle"),
                                   {{}, [&](std::uint32_t step, std::uint32_t) { steps.push_back(step); }});
    const auto other = kind.handle(picture_of("a blue square"), quiet());
    const auto again = kind.handle(picture_of("a red circle"), quiet());

    REQUIRE(first);
    REQUIRE(first->media_type == "image/png");
    REQUIRE(steps == std::vector<std::uint32_t>{1, 2});
    REQUIRE(std::ranges::equal(first->content.bytes, again->content.bytes));
    REQUIRE_FALSE(std::ranges::equal(first->content.bytes, other->content.bytes));
}

TEST_CASE("what the model cannot draw is a bad request, said in words")
{
    DiffusionKind kind(tiny_shapes());
    REQUIRE(kind.start());

    auto odd_size = picture_of("a red circle");
    std::get<proto::DiffusionParameters>(odd_size.parameters.kind).width = 65;
    auto other_model = picture_of("a red circle");
    other_model.model = "huge";
    auto other_scheduler = picture_of("a red circle");
    std::get<proto::DiffusionParameters>(other_scheduler.parameters.kind).scheduler = "magic";

    for (const auto& assign : {odd_size, other_model, other_scheduler}) {
        const auto outcome = kind.handle(assign, quiet());
        REQUIRE_FALSE(outcome);
        REQUIRE(outcome.error().reason == FailureReason::bad_request);
        REQUIRE_FALSE(outcome.error().message.empty());
    }
    REQUIRE(kind.handle(picture_of("a red circle"), quiet()));
}

TEST_CASE("a picture is cancelled between two steps")
{
    DiffusionKind kind(tiny_shapes());
    REQUIRE(kind.start());
    std::stop_source stop;
    std::uint32_t last_step = 0;

    const auto outcome =
        kind.handle(picture_of("a red circle", 20), {stop.get_token(), [&](std::uint32_t step, std::uint32_t) {
                                                         last_step = step;
                                                         stop.request_stop();
                                                     }});

    REQUIRE(outcome.error().reason == FailureReason::cancelled);
    REQUIRE(last_step == 1);
}

TEST_CASE("a model that does not load keeps the actor from starting")
{
    DiffusionKind kind(settings_with("/nowhere"));

    REQUIRE(kind.start().error().code == base::ExitCode::bad_input);
    REQUIRE(kind.handle(picture_of("a red circle"), quiet()).error().reason == FailureReason::bad_model);
}

TEST_CASE("in fast mode pictures are drawn together, each as if it were alone")
{
    auto settings = tiny_shapes();
    settings.mode = "fast";
    settings.max_batch = 3;
    DiffusionKind kind(settings);
    REQUIRE(kind.start());
    REQUIRE(kind.max_batch() == 3);
    const auto wanted = picture_of("a red circle", 3);
    const auto draw_all = [&](std::vector<proto::Assign> items) {
        auto session = kind.open_session(items.front());
        REQUIRE(session);
        std::map<std::uint64_t, Draft> drafts;
        for (std::size_t i = 0; i < items.size(); ++i) {
            items[i].attempt_id.value = i + 1;
            REQUIRE(kind.batch_key(items[i]) == kind.batch_key(items.front()));
            REQUIRE((*session)->join(items[i], quiet()));
        }
        while ((*session)->room() < 3) {
            for (auto& ended : (*session)->step()) {
                REQUIRE(ended.outcome);
                drafts.emplace(ended.attempt_id.value, std::move(*ended.outcome));
            }
        }
        return drafts;
    };

    const auto alone = draw_all({wanted});
    const auto together = draw_all({wanted, picture_of("a blue square", 1), picture_of("a green triangle", 5)});

    REQUIRE(together.size() == 3);
    CHECK(std::ranges::equal(together.at(1).content.bytes, alone.at(1).content.bytes));
    CHECK_FALSE(std::ranges::equal(together.at(2).content.bytes, alone.at(1).content.bytes));
    CHECK(together.at(1).texts == alone.at(1).texts);
}

TEST_CASE("a picture that is cancelled leaves the others to be drawn")
{
    auto settings = tiny_shapes();
    settings.mode = "fast";
    settings.max_batch = 2;
    DiffusionKind kind(settings);
    REQUIRE(kind.start());
    auto stays = picture_of("a red circle", 3);
    auto leaves = picture_of("a blue square", 3);
    stays.attempt_id.value = 1;
    leaves.attempt_id.value = 2;
    auto session = kind.open_session(stays);
    REQUIRE(session);
    REQUIRE((*session)->join(stays, quiet()));
    REQUIRE((*session)->join(leaves, quiet()));
    REQUIRE((*session)->room() == 0);

    (*session)->leave(leaves.attempt_id);

    CHECK((*session)->room() == 1);
    std::vector<Ended> ended;
    for (int step = 0; step < 3; ++step) {
        REQUIRE(ended.empty());
        ended = (*session)->step();
    }
    REQUIRE(ended.size() == 1);
    CHECK(ended.front().attempt_id == stays.attempt_id);
    CHECK(ended.front().outcome.has_value());
}

TEST_CASE("what a batch cannot take together has another key")
{
    const DiffusionKind kind(tiny_shapes());
    const auto one = picture_of("a red circle");
    const auto key_with = [&](const auto& change) {
        auto other = one;
        change(other, std::get<proto::DiffusionParameters>(other.parameters.kind));
        return kind.batch_key(other);
    };
    const std::string long_text(200, 'x');

    CHECK(key_with([](auto& assign, auto&) { assign.item.prompt = "a blue square"; }) == kind.batch_key(one));
    CHECK(key_with([](auto&, auto& p) { p.guidance_scale = 2; }) == kind.batch_key(one));
    CHECK(key_with([](auto&, auto& p) { p.guidance_scale = 1; }) != kind.batch_key(one));
    CHECK(key_with([](auto&, auto& p) { p.width = 128; }) != kind.batch_key(one));
    CHECK(key_with([&](auto& assign, auto&) { assign.item.prompt = long_text; }) ==
          kind.batch_key(one)); // cut to a chunk
    CHECK(key_with([&](auto& assign, auto& p) {
              assign.item.prompt = long_text;
              p.prompt_syntax = proto::PromptSyntax::a1111;
          }) != kind.batch_key(one));
}

TEST_CASE("in reference mode pictures are drawn one by one")
{
    auto settings = tiny_shapes();
    settings.max_batch = 4;
    DiffusionKind kind(settings);
    REQUIRE(kind.start());

    CHECK(kind.max_batch() == 1);
}
