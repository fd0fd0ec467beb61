// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/coordinator/core_fixture.hpp"

using namespace sdfleet;
using namespace sdfleet::coordinator;

TEST_CASE("a job is acknowledged only when it is on disk, and not given out before")
{
    World world;
    world.join("a");
    world.disk = World::Disk::silent;

    world.submit("j", echo_job(1));
    REQUIRE(world.take<proto::Submitted>("client").empty());
    REQUIRE(world.take<proto::Assign>("a").empty());
    world.answer_disk();

    REQUIRE_FALSE(world.take_one<proto::Submitted>("client").already_known);
    REQUIRE(world.take<proto::Assign>("a").size() == 1);
}

TEST_CASE("a submit sent again is the same job; with other content it is a conflict")
{
    World world;
    world.join("a");
    world.disk = World::Disk::silent;
    world.submit("j", echo_job(2));
    world.submit("j", echo_job(2));
    world.answer_disk();
    auto answers = world.take<proto::Submitted>("client");
    REQUIRE(answers.size() == 2);
    REQUIRE_FALSE(answers[0].already_known);
    REQUIRE(answers[1].already_known);

    world.submit("j", echo_job(2));
    world.submit("j", echo_job(3));

    REQUIRE(world.take_one<proto::Submitted>("client").already_known);
    REQUIRE(world.take_one<proto::RequestFailed>("client").error == proto::RequestError::conflict);
    REQUIRE(world.stored.size() == 1);
}

TEST_CASE("a job that nobody can serve is refused with what is missing")
{
    World world;
    world.submit("j", drawing_job("x", 1));
    REQUIRE(world.take_one<proto::RequestFailed>("client").message == "no node has joined");
    world.say("a", world.hello_of("a", 1, 1, {"b-model", "a-model"}));

    world.submit("j", drawing_job("x", 1));
    const auto failed = world.take_one<proto::RequestFailed>("client");

    REQUIRE(failed.error == proto::RequestError::unservable);
    REQUIRE(failed.message == "no node serves model 'x'; the fleet serves: a-model, b-model");
}

TEST_CASE("a job that makes no sense is refused")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(0));
    REQUIRE(world.take_one<proto::RequestFailed>("client").error == proto::RequestError::invalid);
    world.submit("not a name", echo_job(1));
    REQUIRE(world.take_one<proto::RequestFailed>("client").error == proto::RequestError::invalid);
}

TEST_CASE("when the disk does not take a job the client is told, and may try again")
{
    World world;
    world.join("a");
    world.disk = World::Disk::full;
    world.submit("j", echo_job(1));
    REQUIRE(world.take_one<proto::RequestFailed>("client").error == proto::RequestError::storage);

    world.disk = World::Disk::works;
    world.submit("j", echo_job(1));

    REQUIRE_FALSE(world.take_one<proto::Submitted>("client").already_known);
}

TEST_CASE("cancelling ends queued items at once and stops the running ones")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(5));
    const auto assigns = world.start_all("a");

    world.say("client", proto::CancelJob{{"j"}}, 8);

    const auto job = world.take_one<proto::JobCancelled>("client").job;
    REQUIRE(job.state == proto::JobState::cancelled);
    REQUIRE(job.cancelled == 5);
    REQUIRE(world.take<proto::CancelAttempt>("a").size() == 2);
    world.fail("a", assigns[0], proto::FailureReason::cancelled);
    world.finish("a", assigns[1]); // it was too late
    for (const auto& ack : world.take<proto::ResultAck>("a")) {
        REQUIRE(ack.verdict == proto::Verdict::stale);
    }
    REQUIRE(world.summary("j").done == 0);
    world.submit("k", echo_job(2));
    REQUIRE(world.take<proto::Assign>("a").size() == 2);
}

TEST_CASE("a cancellation that the disk refuses leaves the job as it was")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(5));
    world.disk = World::Disk::full;
    world.say("client", proto::CancelJob{{"j"}});
    REQUIRE(world.take_one<proto::RequestFailed>("client").error == proto::RequestError::storage);

    world.disk = World::Disk::works;
    for (const auto& assign : world.start_all("a")) {
        world.finish("a", assign);
    }

    REQUIRE(world.summary("j").done == 2);
    REQUIRE(world.take<proto::Assign>("a").size() == 2);
}

TEST_CASE("an item whose result is on its way to the disk keeps it when its job is cancelled")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(3));
    const auto assigns = world.start_all("a");
    world.disk = World::Disk::silent;
    world.finish("a", assigns[0]);
    world.say("client", proto::CancelJob{{"j"}});
    world.answer_disk();
    world.answer_disk();

    REQUIRE(world.item("j", 0).state == proto::ItemState::done);
    REQUIRE(world.summary("j").cancelled == 2);
    REQUIRE(world.summary("j").state == proto::JobState::cancelled);
}

TEST_CASE("a job that ends while its cancellation is on the way to the disk stays until that is answered")
{
    Limits limits;
    limits.finished_jobs = 0;
    World world({}, limits);
    world.join("a");
    world.submit("j", echo_job(1));
    const auto assign = world.start_all("a").at(0);
    world.disk = World::Disk::silent;
    world.finish("a", assign);
    world.say("client", proto::CancelJob{{"j"}});
    world.disk = World::Disk::works;

    world.answer_disk(); // the item is done, and then the job is cancelled

    REQUIRE(world.take_one<proto::JobCancelled>("client").job.done == 1);
    REQUIRE(world.jobs_on_disk().empty());
}

TEST_CASE("a result that proves damaged after its job was cancelled is not drawn again")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(1));
    const auto assign = world.start_all("a").at(0);
    world.disk = World::Disk::silent;
    world.corrupts_artifacts = true;
    world.say("client", proto::CancelJob{{"j"}});
    world.finish("a", assign);
    world.answer_disk();

    REQUIRE(world.item("j", 0).state == proto::ItemState::cancelled);
    REQUIRE(world.take<proto::Assign>("a").empty());
}

TEST_CASE("cancelling a job that is over, or that is not there")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(1));
    world.finish("a", world.start_all("a").at(0));

    world.say("client", proto::CancelJob{{"j"}});
    world.say("client", proto::CancelJob{{"k"}});

    REQUIRE(world.take_one<proto::JobCancelled>("client").job.state == proto::JobState::done);
    REQUIRE(world.take_one<proto::RequestFailed>("client").error == proto::RequestError::unknown_job);
}

TEST_CASE("an artifact is sent to whoever asks for it by its hash")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(1));
    world.say("client", proto::FetchArtifact{fake_sha256()});
    REQUIRE(world.take_one<proto::RequestFailed>("client").error == proto::RequestError::unknown_artifact);

    world.finish("a", world.start_all("a").at(0));
    world.say("client", proto::FetchArtifact{fake_sha256()});

    REQUIRE(world.take_one<proto::Artifact>("client").sha256 == fake_sha256());
}

TEST_CASE("jobs are listed newest first, and a page of items at a time")
{
    World world;
    world.join("a");
    world.submit("j1", echo_job(5));
    world.submit("j2", echo_job(1));

    world.say("client", proto::ListJobs{1});
    const auto list = world.take_one<proto::JobList>("client");
    REQUIRE(list.total == 2);
    REQUIRE(list.jobs.at(0).job_id.value == "j2");

    world.say("client", proto::GetJob{{"j1"}, 3, 10});
    const auto detail = world.take_one<proto::JobDetail>("client");
    REQUIRE(detail.specs.size() == 2);
    REQUIRE(detail.reports.at(0).index.value == 3);
}

TEST_CASE("the oldest finished job makes room for a new one; unfinished ones never do")
{
    Limits limits;
    limits.jobs = 2;
    World world({}, limits);
    world.join("a");
    world.submit("j1", echo_job(1));
    world.finish("a", world.start_all("a").at(0));
    world.submit("j2", echo_job(1));
    world.submit("j3", echo_job(1));
    REQUIRE(world.take<proto::Submitted>("client").size() == 3);
    REQUIRE(world.removed_artifacts.contains(fake_sha256()));

    world.submit("j4", echo_job(1));

    const auto failed = world.take_one<proto::RequestFailed>("client");
    REQUIRE(failed.error == proto::RequestError::overloaded);
    REQUIRE(failed.retry_after_ms > 0);
}

TEST_CASE("a client with too many requests under way is told when to try again")
{
    Limits limits;
    limits.pending_requests_per_client = 2;
    World world({}, limits);
    world.join("a");
    world.disk = World::Disk::silent;
    world.submit("j1", echo_job(1));
    world.submit("j2", echo_job(1));
    world.submit("j3", echo_job(1));
    REQUIRE(world.take_one<proto::RequestFailed>("client").error == proto::RequestError::overloaded);

    world.answer_disk();
    world.submit("j3", echo_job(1));
    world.answer_disk();

    REQUIRE(world.take<proto::Submitted>("client").size() == 3);
}
