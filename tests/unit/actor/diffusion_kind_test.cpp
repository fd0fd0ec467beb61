// SPDX-License-Identifier: Apache-2.0
#include "actor/diffusion_kind.hpp"

#include "tests/catch.hpp"

#include <algorithm>
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
