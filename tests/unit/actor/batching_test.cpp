// SPDX-License-Identifier: Apache-2.0
// An actor that draws several items at once.
#include "actor/echo_kind.hpp"
#include "tests/unit/actor/fake_agent.hpp"

#include <atomic>
#include <map>
#include <new>
#include <set>
#include <stdexcept>

using namespace sdfleet;
using namespace sdfleet::actor;

namespace {

constexpr std::uint32_t for_ever_ms = 600'000;

KindRegistry echo_of_batch(std::size_t max_batch)
{
    KindRegistry registry;
    registry.add("echo", [max_batch](const ActorSettings&) { return std::make_unique<EchoKind>(max_batch); });
    return registry;
}

/// Draws at once, and encodes the item "held" when the test lets it.
struct SlowEncoder : ActorKind {
    std::shared_future<void> is_open;

    explicit SlowEncoder(std::shared_future<void> opened) : is_open(std::move(opened)) {}
    Outcome handle(const proto::Assign& assign, const WorkContext& context) override
    {
        return draw(assign, context).and_then([this](const Draft& draft) { return finish(draft); });
    }
    DraftOutcome draw(const proto::Assign& assign, const WorkContext& context) override
    {
        context.report_step(1, 1);
        return Draft{assign.item.prompt, proto::Blob::of(assign.item.prompt), 0, 0, {}};
    }
    Outcome finish(const Draft& draft) override
    {
        if (draft.media_type == "held") {
            is_open.wait();
        }
        return Product{draft.media_type, draft.content};
    }
};

/// A session whose steps fail in the way that the newest item's prompt asks for.
struct FailingSession : BatchSession {
    explicit FailingSession(bool& a_flag) : was_too_large(a_flag) {}

    bool& was_too_large; ///< some session was, once
    std::map<proto::AttemptId, std::string> items;
    std::string how;

    std::size_t room() const override { return 2 - items.size(); }
    tl::expected<void, Failure> join(const proto::Assign& assign, WorkContext) override
    {
        how = assign.item.prompt;
        if (how == "does not join") {
            return tl::unexpected(Failure{proto::FailureReason::bad_request, how});
        }
        items.emplace(assign.attempt_id, how);
        return {};
    }
    std::vector<Ended> step() override
    {
        if (how == "throws") {
            throw std::runtime_error("the device says no");
        }
        if (how == "fits alone" && items.size() == 2) {
            was_too_large = true;
            throw std::bad_alloc();
        }
        if (how == "fits alone" && !was_too_large) {
            return {}; // until the other one is here
        }
        std::vector<Ended> ended;
        for (const auto& [id, prompt] : items) {
            ended.push_back({id, Draft{"text/plain", proto::Blob::of(prompt), 0, 0, {}}});
        }
        items.clear();
        return ended;
    }
    void leave(proto::AttemptId id) override { items.erase(id); }
};

struct FailingKind : ActorKind {
    bool was_too_large = false;

    Outcome handle(const proto::Assign&, const WorkContext&) override
    {
        return tl::unexpected(Failure{proto::FailureReason::internal, "sessions only"});
    }
    std::size_t max_batch() const override { return 2; }
    tl::expected<std::unique_ptr<BatchSession>, Failure> open_session(const proto::Assign&) override
    {
        return std::make_unique<FailingSession>(was_too_large);
    }
};

} // namespace

TEST_CASE("items of one key are drawn side by side, and one that comes later joins them")
{
    FakeAgent agent;
    const auto registry = echo_of_batch(4);
    auto actor = start_actor(agent, registry);
    agent.welcome();

    agent.assign_echo(11, "first", 5'000);
    agent.next<proto::StepProgress>();
    agent.assign_echo(12, "second", 5'000);

    // The second takes its first step before the first is through.
    std::uint32_t first_at = 0;
    for (auto progress = agent.next<proto::StepProgress>().first; progress.attempt_id.value != 12;
         progress = agent.next<proto::StepProgress>().first) {
        first_at = progress.step;
    }
    REQUIRE(first_at < 10);
    REQUIRE(agent.next<proto::StepProgress>().first.attempt_id.value == 11);
    agent.tell(proto::Goodbye{});
    REQUIRE(actor.get());
}

TEST_CASE("an item that is cancelled leaves its batch, and the others stay")
{
    FakeAgent agent;
    const auto registry = echo_of_batch(2);
    auto actor = start_actor(agent, registry);
    agent.welcome();
    agent.assign_echo(11, "stays", 3'000);
    agent.assign_echo(12, "goes", 3'000);
    while (agent.next<proto::StepProgress>().first.attempt_id.value != 12) {
    }

    agent.tell(proto::CancelAttempt{{12}});

    const auto failure = agent.next<proto::ItemFailed>().first;
    REQUIRE(failure.attempt_id.value == 12);
    REQUIRE(failure.reason == proto::FailureReason::cancelled);
    REQUIRE(agent.next<proto::ItemDone>().first.attempt_id.value == 11);
    agent.tell(proto::Goodbye{});
    REQUIRE(actor.get());
}

TEST_CASE("an item of another key waits until the batch is through")
{
    FakeAgent agent;
    const auto registry = echo_of_batch(2);
    auto actor = start_actor(agent, registry);
    agent.welcome();
    agent.assign_echo(11, "in the batch", for_ever_ms);
    agent.next<proto::Started>();

    agent.assign_echo(12, "another length", 10);
    agent.tell(proto::CancelAttempt{{11}});

    REQUIRE(agent.next<proto::ItemFailed>().first.attempt_id.value == 11);
    REQUIRE(agent.next<proto::Started>().first.attempt_id.value == 12);
    REQUIRE(agent.next<proto::ItemDone>().first.attempt_id.value == 12);
    agent.tell(proto::Goodbye{});
    REQUIRE(actor.get());
}

TEST_CASE("the device goes on with the next item while one is encoded")
{
    FakeAgent agent;
    std::promise<void> gate;
    KindRegistry registry;
    registry.add("echo", [opened = gate.get_future().share()](const ActorSettings&) {
        return std::make_unique<SlowEncoder>(opened);
    });
    auto actor = start_actor(agent, registry);
    agent.welcome();

    agent.assign_echo(11, "held");
    agent.assign_echo(12, "next");
    while (agent.next<proto::StepProgress>().first.attempt_id.value != 12) {
    }
    gate.set_value();

    REQUIRE(agent.next<proto::ItemDone>().first.attempt_id.value == 11);
    REQUIRE(agent.next<proto::ItemDone>().first.attempt_id.value == 12);
    agent.tell(proto::Goodbye{});
    REQUIRE(actor.get());
}

TEST_CASE("what is drawn when the actor is asked to leave is still handed in")
{
    FakeAgent agent;
    std::promise<void> gate;
    KindRegistry registry;
    registry.add("echo", [opened = gate.get_future().share()](const ActorSettings&) {
        return std::make_unique<SlowEncoder>(opened);
    });
    auto actor = start_actor(agent, registry);
    agent.welcome();
    agent.assign_echo(11, "held");
    agent.next<proto::StepProgress>();

    agent.tell(proto::Goodbye{});
    gate.set_value();

    REQUIRE(agent.next<proto::ItemDone>().first.attempt_id.value == 11);
    agent.next<proto::Goodbye>();
    REQUIRE(actor.get());
}

TEST_CASE("items that together are too large for the device's memory are drawn one after the other")
{
    FakeAgent agent;
    KindRegistry registry;
    registry.add("echo", [](const ActorSettings&) { return std::make_unique<FailingKind>(); });
    auto actor = start_actor(agent, registry);
    agent.welcome();

    agent.assign_echo(11, "fits alone");
    agent.assign_echo(12, "fits alone");

    std::set<std::uint64_t> done{agent.next<proto::ItemDone>().first.attempt_id.value};
    done.insert(agent.next<proto::ItemDone>().first.attempt_id.value);
    REQUIRE(done == std::set<std::uint64_t>{11, 12});
    agent.tell(proto::Goodbye{});
    REQUIRE(actor.get());
}

TEST_CASE("a step that fails takes its whole batch with it, and the actor goes on")
{
    FakeAgent agent;
    KindRegistry registry;
    registry.add("echo", [](const ActorSettings&) { return std::make_unique<FailingKind>(); });
    auto actor = start_actor(agent, registry);
    agent.welcome();

    agent.assign_echo(11, "throws");
    const auto failure = agent.next<proto::ItemFailed>().first;
    REQUIRE(failure.attempt_id.value == 11);
    REQUIRE(failure.message == "the device says no");
    agent.assign_echo(12, "does not join");
    REQUIRE(agent.next<proto::ItemFailed>().first.reason == proto::FailureReason::bad_request);
    agent.assign_echo(13, "fine");
    REQUIRE(agent.next<proto::ItemDone>().first.attempt_id.value == 13);
    agent.tell(proto::Goodbye{});
    REQUIRE(actor.get());
}
