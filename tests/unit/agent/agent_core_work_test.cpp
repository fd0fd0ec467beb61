// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/agent_story.hpp"

using namespace sdfleet;
using namespace sdfleet::agent;
using namespace std::chrono_literals;
using proto::Channel;
using proto::FailureReason;

namespace {

/// A member with one ready actor.
struct Work : Story {
    Launch actor;

    explicit Work(Limits limits = {}) : Story(1, limits)
    {
        join();
        actor = actor_joins();
        forget();
    }
};

} // namespace

TEST_CASE("an attempt goes to the actor, is accepted, started, and its result reaches the coordinator on bulk")
{
    Work work;

    work.assign(11);
    REQUIRE(work.told<proto::Assign>(work.actor).size() == 1);
    work.pass(10ms);
    REQUIRE(work.sent<proto::Accepted>(Channel::control).size() == 1);

    work.actor_says(work.actor, proto::Started{{11}});
    REQUIRE(work.sent<proto::Started>(Channel::control).size() == 1);

    work.actor_finishes(work.actor, 11);
    const auto done = work.sent<proto::ItemDone>(Channel::bulk);
    REQUIRE(done.size() == 1);
    REQUIRE(done[0].job_id.value == "job");
    REQUIRE(done[0].index.value == 11);
    REQUIRE(work.effects_of<SendToCoordinator>().back().packet.blobs.size() == 1);
}

TEST_CASE("two attempts a slot: the actor has the second one ready, the third goes back")
{
    Work work;

    work.assign(11);
    work.assign(12);
    work.assign(13);
    work.pass(10ms);

    REQUIRE(work.sent<proto::Accepted>().size() == 2);
    REQUIRE(work.told<proto::Assign>(work.actor).size() == 2);
    const auto failures = work.sent<proto::ItemFailed>(Channel::bulk);
    REQUIRE(failures.size() == 1);
    REQUIRE(failures[0].attempt_id.value == 13);
    REQUIRE(failures[0].reason == FailureReason::overloaded);

    work.actor_finishes(work.actor, 11);
    work.assign(14);
    REQUIRE(work.told<proto::Assign>(work.actor).back().attempt_id.value == 14);
}

TEST_CASE("an actor gets as many attempts as it can draw at once, and one more")
{
    Story story;
    story.join();
    const auto actor = story.actor_joins(0, 4);
    REQUIRE(story.sent<proto::ActorUpdate>().back().actor.max_batch == 4);

    for (std::uint64_t attempt = 11; attempt <= 16; ++attempt) {
        story.assign(attempt);
    }

    REQUIRE(story.told<proto::Assign>(actor).size() == 5);
    REQUIRE(story.sent<proto::ItemFailed>().size() == 1);
    REQUIRE(story.sent<proto::ItemFailed>()[0].attempt_id.value == 16);

    // They end in whatever order.
    story.actor_finishes(actor, 13);
    REQUIRE(story.sent<proto::ItemDone>().back().index.value == 13);
    story.assign(17);
    REQUIRE(story.told<proto::Assign>(actor).back().attempt_id.value == 17);
}

TEST_CASE("progress of all that an actor draws at once comes through, each thinned for itself")
{
    Story story;
    story.join();
    const auto actor = story.actor_joins(0, 2);
    story.assign(11);
    story.assign(12);
    story.actor_says(actor, proto::StepProgress{{11}, 1, 50});
    story.actor_says(actor, proto::StepProgress{{12}, 1, 50});
    story.actor_says(actor, proto::StepProgress{{11}, 2, 50});
    story.actor_says(actor, proto::StepProgress{{12}, 2, 50});
    REQUIRE(story.sent<proto::StepProgress>().size() == 2);

    story.pass(100ms);

    REQUIRE(story.sent<proto::StepProgress>().size() == 4);
}

TEST_CASE("an attempt that is to be alone waits for the others, and the next one waits for it")
{
    Story story;
    story.join();
    const auto actor = story.actor_joins(0, 4);
    story.assign(11);
    story.assign(12, 0, true);
    story.assign(13);
    REQUIRE(story.told<proto::Assign>(actor).size() == 1);

    story.actor_finishes(actor, 11);
    REQUIRE(story.told<proto::Assign>(actor).size() == 2);
    REQUIRE(story.told<proto::Assign>(actor)[1].attempt_id.value == 12);

    story.actor_finishes(actor, 12);
    REQUIRE(story.told<proto::Assign>(actor).size() == 3);
}

TEST_CASE("what is done within a moment is not worth a word about its acceptance")
{
    Work work;

    work.assign(11);
    work.pass(5ms);
    work.actor_finishes(work.actor, 11);
    work.pass(100ms);

    REQUIRE(work.sent<proto::Accepted>().empty());
    REQUIRE(work.sent<proto::ItemDone>(Channel::bulk).size() == 1);
}

TEST_CASE("an attempt assigned twice is accepted twice and done once")
{
    Work work;

    work.assign(11);
    work.assign(11);
    work.pass(10ms);

    REQUIRE(work.sent<proto::Accepted>().size() == 2);
    REQUIRE(work.told<proto::Assign>(work.actor).size() == 1);

    work.actor_finishes(work.actor, 11);
    work.assign(11);
    REQUIRE(work.told<proto::Assign>(work.actor).size() == 1);
}

TEST_CASE("an attempt for an actor that is not there, or not ready, goes back")
{
    Story story(2);
    story.join();
    story.actor_joins(0);
    story.forget();

    story.assign(11, 1);
    story.assign(12, 7);

    const auto failures = story.sent<proto::ItemFailed>();
    REQUIRE(failures.size() == 2);
    REQUIRE(failures[0].reason == FailureReason::overloaded);
    REQUIRE(failures[1].reason == FailureReason::overloaded);
}

TEST_CASE("nothing is accepted before the welcome")
{
    Story story;
    const auto actor = story.actor_joins();

    story.assign(11);

    REQUIRE(story.told<proto::Assign>(actor).empty());
}

TEST_CASE("progress is thinned to one message per interval, and the last step always comes")
{
    Work work;
    work.assign(11);

    for (std::uint32_t step = 1; step <= 50; ++step) {
        work.actor_says(work.actor, proto::StepProgress{{11}, step, 50});
        work.pass(10ms);
    }

    const auto sent = work.sent<proto::StepProgress>();
    REQUIRE(sent.size() >= 5);
    REQUIRE(sent.size() <= 7);
    REQUIRE(sent.back().step == 50);
}

TEST_CASE("progress held back follows when the interval is over")
{
    Work work;
    work.assign(11);
    work.actor_says(work.actor, proto::StepProgress{{11}, 1, 50});
    work.actor_says(work.actor, proto::StepProgress{{11}, 2, 50});
    work.actor_says(work.actor, proto::StepProgress{{11}, 3, 50});
    REQUIRE(work.sent<proto::StepProgress>().size() == 1);

    work.pass(100ms);

    REQUIRE(work.sent<proto::StepProgress>().size() == 2);
    REQUIRE(work.sent<proto::StepProgress>()[1].step == 3);
}

TEST_CASE("an attempt held back is cancelled at once, one with the actor when the actor says so")
{
    Work work;
    work.assign(11);
    work.assign(12, 0, true);

    work.coordinator_says(proto::CancelAttempt{{12}});
    auto failures = work.sent<proto::ItemFailed>();
    REQUIRE(failures.size() == 1);
    REQUIRE(failures[0].attempt_id.value == 12);
    REQUIRE(failures[0].reason == FailureReason::cancelled);
    REQUIRE(work.told<proto::CancelAttempt>(work.actor).empty());

    work.coordinator_says(proto::CancelAttempt{{11}});
    work.coordinator_says(proto::CancelAttempt{{11}});
    REQUIRE(work.told<proto::CancelAttempt>(work.actor).size() == 1);
    REQUIRE(work.sent<proto::ItemFailed>().size() == 1);

    work.actor_says(work.actor, proto::ItemFailed{{11}, {}, {}, FailureReason::cancelled, "cancelled"});
    failures = work.sent<proto::ItemFailed>();
    REQUIRE(failures.size() == 2);
    REQUIRE(failures[1].attempt_id.value == 11);
    REQUIRE(failures[1].job_id.value == "job");
}

TEST_CASE("cancelling what is not in hand does nothing")
{
    Work work;
    work.coordinator_says(proto::CancelAttempt{{99}});
    REQUIRE(work.effects_of<SendToCoordinator>().empty());
}

TEST_CASE("an actor that does not stop a cancelled attempt is killed, and the attempt counts as cancelled")
{
    Work work;
    work.assign(11);
    work.coordinator_says(proto::CancelAttempt{{11}});

    work.pass_in_peace(29s);
    REQUIRE(work.effects_of<KillActor>().empty());
    work.pass_in_peace(2s);
    REQUIRE(work.effects_of<KillActor>().size() == 1);

    work.forget();
    work.actor_dies(work.actor);
    REQUIRE(work.sent<proto::ItemFailed>().at(0).reason == FailureReason::cancelled);
}

TEST_CASE("results are sent again on each new bulk connection until they are acknowledged")
{
    Work work;
    work.assign(11);
    work.actor_finishes(work.actor, 11);
    REQUIRE(work.sent<proto::ItemDone>().size() == 1);

    work.happen(LinkWritable{Channel::bulk});
    REQUIRE(work.sent<proto::ItemDone>().size() == 1);
    work.coordinator_says(proto::Welcome{1, "", 1, 500, 5000}, Channel::bulk);
    REQUIRE(work.sent<proto::ItemDone>().size() == 2);

    work.coordinator_says(proto::ResultAck{{11}, proto::Verdict::accepted});
    work.join(2);
    REQUIRE(work.sent<proto::ItemDone>().size() == 2);
}

TEST_CASE("a result that nobody acknowledges is sent again after a while")
{
    Work work;
    work.assign(11);
    work.actor_finishes(work.actor, 11);
    work.forget();

    work.pass_in_peace(10s);
    REQUIRE(work.sent<proto::AgentHello>(Channel::bulk).size() == 1);
    work.coordinator_says(proto::Welcome{1, "", 1, 500, 5000}, Channel::bulk);

    REQUIRE(work.sent<proto::ItemDone>().size() == 1);
}

TEST_CASE("only a window of results is on the wire; each acknowledgement lets the next one go")
{
    Limits limits;
    limits.results_on_wire = 2;
    Work work(limits);
    for (std::uint64_t attempt = 11; attempt <= 14; ++attempt) {
        work.assign(attempt);
        work.actor_finishes(work.actor, attempt);
    }
    REQUIRE(work.sent<proto::ItemDone>().size() == 2);

    work.coordinator_says(proto::ResultAck{{11}, proto::Verdict::accepted});

    REQUIRE(work.sent<proto::ItemDone>().size() == 3);
    REQUIRE(work.sent<proto::ItemDone>()[2].attempt_id.value == 13);
}

TEST_CASE("no work is taken while too many results wait")
{
    Limits limits;
    limits.results_kept = 1;
    Work work(limits);
    work.assign(11);
    work.actor_finishes(work.actor, 11);

    work.assign(12);

    REQUIRE(work.sent<proto::ItemFailed>().at(0).reason == FailureReason::overloaded);
}
