// SPDX-License-Identifier: Apache-2.0
// Random histories: agents that come, go, lie and repeat themselves, a disk that fails, a coordinator that is killed.
// After every step the core's tables agree (the fixture checks that); at the end every item has ended exactly once.
#include "tests/unit/coordinator/core_fixture.hpp"

#include <rapidcheck.h>

using namespace sdfleet;
using namespace sdfleet::coordinator;

namespace {

enum class Kind {
    hello,
    accept,
    start,
    finish,
    fail,
    heartbeat,
    goodbye,
    actor_update,
    submit,
    cancel,
    watch,
    wait,
    wait_long,
    disk,
    corruption,
    restart,
    count
};

struct Action {
    Kind kind;
    std::uint32_t a;
    std::uint32_t b;
};

std::ostream& operator<<(std::ostream& out, const Action& action)
{
    return out << static_cast<int>(action.kind) << "(" << action.a << "," << action.b << ")";
}

rc::Gen<Action> any_action()
{
    return rc::gen::build<Action>(
        rc::gen::set(&Action::kind, rc::gen::map(rc::gen::inRange(0, static_cast<int>(Kind::count)),
                                                 [](int kind) { return static_cast<Kind>(kind); })),
        rc::gen::set(&Action::a, rc::gen::inRange<std::uint32_t>(0, 1000)),
        rc::gen::set(&Action::b, rc::gen::inRange<std::uint32_t>(0, 1000)));
}

/// Plays the actions, and remembers what every agent was ever told and every client ever saw.
class History {
public:
    History() : world(options()) {}

    void play(const Action& action);
    void bring_to_an_end();
    void check_outcomes();

    World world;

private:
    static Options options()
    {
        Options options;
        options.progress_timeout = {30'000};
        options.unservable_timeout = {60'000};
        return options;
    }

    std::string node_of(const Action& action) const { return std::string(1, static_cast<char>('a' + action.a % 3)); }
    const proto::Assign* any_assign(const std::string& node, std::uint32_t choice);
    void read_inbox();
    void hello(const Action& action);
    void submit(const Action& action);
    void look();

    std::map<std::string, std::vector<proto::Assign>> assigned_;
    std::map<std::string, std::uint64_t> incarnation_;
    std::vector<std::string> jobs_;
    std::map<proto::ItemId, proto::ItemState> seen_ends_;
};

void History::read_inbox()
{
    for (const std::string node : {"a", "b", "c"}) {
        for (auto& assign : world.take<proto::Assign>(node)) {
            REQUIRE(assign.slot.value < 2);
            assigned_[node].push_back(std::move(assign));
        }
    }
}

const proto::Assign* History::any_assign(const std::string& node, std::uint32_t choice)
{
    const auto& assigns = assigned_[node];
    if (assigns.empty()) {
        return nullptr;
    }
    // Mostly a recent one, at times one that is long over.
    const auto back = choice % 5 == 0 ? choice % assigns.size() : choice % std::min<std::size_t>(4, assigns.size());
    return &assigns[assigns.size() - 1 - back];
}

void History::hello(const Action& action)
{
    const auto node = node_of(action);
    auto& incarnation = incarnation_[node];
    incarnation += action.b % 4 == 0 || incarnation == 0 ? 1 : 0;
    auto hello = world.hello_of(node, 2, incarnation, {"m"}, 1 + action.b % 3);
    for (const auto& assign : assigned_[node]) {
        if ((assign.attempt_id.value + action.b) % 3 != 0) {
            hello.attempts.push_back({assign.attempt_id, assign.job_id, assign.index, assign.slot});
        }
    }
    world.say(node, hello);
}

void History::submit(const Action& action)
{
    const std::string id = "j" + std::to_string(jobs_.size());
    auto spec = echo_job(1 + action.a % 5, static_cast<proto::Split>(action.b % 3));
    for (auto& item : spec.items) {
        if (spec.split == proto::Split::rank) {
            item.rank = static_cast<std::uint32_t>((item.seed + action.a) % 2);
        }
    }
    world.submit(id, spec);
    jobs_.push_back(id);
}

void History::play(const Action& action)
{
    const auto node = node_of(action);
    const auto* assign = any_assign(node, action.b);
    switch (action.kind) {
    case Kind::hello:
        hello(action);
        break;
    case Kind::accept:
        if (assign != nullptr) {
            world.say(node, proto::Accepted{assign->attempt_id});
        }
        break;
    case Kind::start:
        if (assign != nullptr) {
            world.say(node, proto::Started{assign->attempt_id});
            world.say(node, proto::StepProgress{assign->attempt_id, 1, 4});
        }
        break;
    case Kind::finish:
        if (assign != nullptr) {
            world.finish(node, proto::Assign(*assign));
        }
        break;
    case Kind::fail:
        if (assign != nullptr) {
            world.fail(node, proto::Assign(*assign), static_cast<proto::FailureReason>(action.a % 11));
        }
        break;
    case Kind::heartbeat: {
        proto::Heartbeat heartbeat;
        for (const auto& one : assigned_[node]) {
            if (one.attempt_id.value % 7 != action.b % 7) {
                heartbeat.attempts.push_back(one.attempt_id);
            }
        }
        world.say(node, heartbeat);
        break;
    }
    case Kind::goodbye:
        world.say(node, proto::Goodbye{});
        break;
    case Kind::actor_update:
        world.say(node, proto::ActorUpdate{
                            {{action.b % 2}, "cpu", static_cast<proto::ActorPhase>(action.b % 4), 1, 0, "because"}});
        break;
    case Kind::submit:
        submit(action);
        break;
    case Kind::cancel:
        if (!jobs_.empty()) {
            world.say("client", proto::CancelJob{{jobs_[action.b % jobs_.size()]}});
        }
        break;
    case Kind::watch:
        if (!jobs_.empty()) {
            world.say("client", proto::WatchJob{{jobs_[action.b % jobs_.size()]}, action.a % 20, 3, 5'000});
        }
        break;
    case Kind::wait:
        world.wait(action.b);
        break;
    case Kind::wait_long:
        world.wait(action.b * 12);
        break;
    case Kind::disk:
        world.disk = static_cast<World::Disk>(action.b % 3);
        if (world.disk == World::Disk::works) {
            world.answer_disk();
        }
        break;
    case Kind::corruption:
        world.corrupts_artifacts = action.b % 2 == 0;
        break;
    case Kind::restart:
        world.restart();
        break;
    case Kind::count:
        break;
    }
    read_inbox();
    look();
}

/// What a client has once seen ended stays as it was.
void History::look()
{
    world.say("observer", proto::ClientHello{});
    for (const auto& job : jobs_) {
        world.say("observer", proto::GetJob{{job}, 0, 100});
    }
    for (const auto& detail : world.take<proto::JobDetail>("observer")) {
        for (const auto& item : detail.reports) {
            const proto::ItemId id{detail.job.job_id, item.index};
            if (item.state >= proto::ItemState::done) {
                RC_ASSERT(seen_ends_.try_emplace(id, item.state).first->second == item.state);
            } else {
                RC_ASSERT(!seen_ends_.contains(id));
            }
        }
        const auto& job = detail.job;
        RC_ASSERT(job.queued + job.running + job.done + job.failed + job.cancelled == job.total);
    }
    world.inbox["observer"].clear();
}

/// All faults end and one good node is there: now everything has to come to its end.
void History::bring_to_an_end()
{
    world.disk = World::Disk::works;
    world.corrupts_artifacts = false;
    world.answer_disk();
    world.answer_disk();
    world.wait(20'000); // the others are lost, their pins released
    world.say("good", world.hello_of("good", 2));
    for (int round = 0; round < 200; ++round) {
        for (const auto& assign : world.start_all("good")) {
            world.finish("good", assign);
        }
        world.wait_with_heartbeats(500, {"good"});
    }
    look();
}

void History::check_outcomes()
{
    std::map<proto::ItemId, int> outcomes;
    for (const auto& operation : world.stored) {
        if (const auto* settled = std::get_if<SettleItems>(&operation)) {
            for (const auto& outcome : settled->outcomes) {
                RC_ASSERT((++outcomes[{settled->job_id, outcome.index}] == 1));
            }
        }
    }
    for (const auto& job : world.jobs_on_disk()) {
        for (std::uint32_t index = 0; index < job.job.spec->items.size(); ++index) {
            const proto::ItemId id{job.job.job_id, {index}};
            RC_ASSERT(seen_ends_.contains(id));
            RC_ASSERT(outcomes.contains(id) || job.is_cancelled);
        }
    }
}

} // namespace

TEST_CASE("whatever happens, every item ends exactly once and the tables agree after every step")
{
    const bool holds = rc::check([] {
        const auto actions = *rc::gen::container<std::vector<Action>>(any_action());
        History history;
        history.world.join("a", 2);
        history.world.join("b", 2);
        history.play({Kind::submit, 4, 0});
        for (const auto& action : actions) {
            history.play(action);
        }
        history.bring_to_an_end();
        history.check_outcomes();
    });
    REQUIRE(holds);
}
