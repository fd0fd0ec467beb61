// SPDX-License-Identifier: Apache-2.0
// What becomes of kinds that fail in every way a kind can.
#include "actor/exit_code.hpp"
#include "tests/unit/actor/fake_agent.hpp"

#include <atomic>
#include <new>
#include <stdexcept>

using namespace sdfleet;
using namespace sdfleet::actor;

namespace {

/// Does what a test says.
struct ScriptedKind : ActorKind {
    std::function<base::Result<void>()> on_start = [] { return base::Result<void>{}; };
    std::function<Outcome()> on_handle = [] { return Outcome(Product{"text/plain", proto::Blob::of("fine")}); };
    std::atomic<bool>* is_broken = nullptr;

    base::Result<void> start() override { return on_start(); }
    Outcome handle(const proto::Assign&, const WorkContext&) override { return on_handle(); }
    std::optional<std::string> health() const override
    {
        return is_broken != nullptr && *is_broken ? std::optional<std::string>("on fire") : std::nullopt;
    }
};

KindRegistry only(const std::function<std::unique_ptr<ScriptedKind>()>& make)
{
    KindRegistry registry;
    registry.add("echo", [make](const ActorSettings&) { return make(); });
    return registry;
}

} // namespace

TEST_CASE("a kind that cannot start ends the actor with its error, before any hello")
{
    FakeAgent agent;
    const auto registry = only([] {
        auto kind = std::make_unique<ScriptedKind>();
        kind->on_start = []() -> base::Result<void> { return base::fail(base::ExitCode::bad_input, "no such model"); };
        return kind;
    });

    const auto result = start_actor(agent, registry).get();

    REQUIRE(result.error() == base::Error{base::ExitCode::bad_input, "no such model"});
    agent.io.run_for(std::chrono::milliseconds(50));
    REQUIRE(std::ranges::none_of(agent.received, [](const proto::Packet& packet) {
        return std::holds_alternative<proto::ActorHello>(packet.message);
    }));
}

TEST_CASE("what a kind throws fails its item alone")
{
    FakeAgent agent;
    int calls = 0;
    const auto registry = only([&] {
        auto kind = std::make_unique<ScriptedKind>();
        kind->on_handle = [&]() -> Outcome {
            switch (++calls) {
            case 1:
                throw std::bad_alloc();
            case 2:
                throw std::runtime_error("surprise");
            default:
                return Product{"text/plain", proto::Blob::of("fine")};
            }
        };
        return kind;
    });
    auto actor = start_actor(agent, registry);
    agent.welcome();

    agent.assign_echo(11, "");
    REQUIRE(agent.next<proto::ItemFailed>().first.reason == proto::FailureReason::out_of_memory);
    agent.assign_echo(12, "");
    const auto failure = agent.next<proto::ItemFailed>().first;
    REQUIRE(failure.reason == proto::FailureReason::internal);
    REQUIRE(failure.message == "surprise");
    agent.assign_echo(13, "");
    REQUIRE(agent.next<proto::ItemDone>().first.media_type == "text/plain");

    agent.tell(proto::Goodbye{});
    REQUIRE(actor.get());
}

TEST_CASE("work of a kind that the program does not have is refused")
{
    FakeAgent agent;
    const auto registry = only([] { return std::make_unique<ScriptedKind>(); });
    auto actor = start_actor(agent, registry);
    agent.welcome();

    agent.tell(proto::Assign{{11}, {"job"}, {0}, {0}, "sd", {proto::DiffusionParameters{}}, {"a cat", 0, {}}, false});

    const auto failure = agent.next<proto::ItemFailed>().first;
    REQUIRE(failure.reason == proto::FailureReason::bad_request);
    REQUIRE(failure.message == "this actor does no diffusion work");
    agent.tell(proto::Goodbye{});
    REQUIRE(actor.get());
}

TEST_CASE("an actor whose device is broken leaves")
{
    FakeAgent agent;
    std::atomic<bool> is_broken = false;
    const auto registry = only([&] {
        auto kind = std::make_unique<ScriptedKind>();
        kind->is_broken = &is_broken;
        return kind;
    });
    auto actor = start_actor(agent, registry);
    agent.welcome(20);

    is_broken = true;

    REQUIRE(agent.next<proto::Goodbye>().first.message.find("on fire") != std::string::npos);
    REQUIRE(actor.get().error().code == device_lost);
}

TEST_CASE("an item that fails with its device is not failed: the actor leaves at once, and it is drawn elsewhere")
{
    FakeAgent agent;
    std::atomic<bool> is_broken = false;
    const auto registry = only([&] {
        auto kind = std::make_unique<ScriptedKind>();
        kind->is_broken = &is_broken;
        kind->on_handle = [&]() -> Outcome {
            is_broken = true;
            return tl::unexpected(Failure{proto::FailureReason::internal, "CUDA error: unspecified launch failure"});
        };
        return kind;
    });
    auto actor = start_actor(agent, registry);
    agent.welcome(600'000); // no heartbeat comes before the item's end

    agent.assign_echo(11, "");

    REQUIRE(actor.get().error() == base::Error{device_lost, "the device is of no use any more: on fire"});
    agent.io.run_for(std::chrono::milliseconds(50));
    REQUIRE(std::ranges::none_of(agent.received, [](const proto::Packet& packet) {
        return std::holds_alternative<proto::ItemFailed>(packet.message);
    }));
}
