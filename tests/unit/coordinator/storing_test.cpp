// SPDX-License-Identifier: Apache-2.0
// Results on their way to the disk: small ones within their outcome's commit, large ones as files before it.
#include "tests/unit/coordinator/core_fixture.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>

using namespace sdfleet;
using namespace sdfleet::coordinator;

namespace {

constexpr std::size_t result_bytes = 6; ///< of World's

Options with_small_artifacts_up_to(std::size_t bytes)
{
    Options options;
    options.small_artifact_bytes = bytes;
    return options;
}

void draw(World& world, const std::string& job)
{
    world.submit(job, echo_job(1));
    world.finish("a", world.start_all("a").at(0));
}

/// The last outcome that was given to the disk.
const SettleItems& last_settled(const World& world)
{
    for (auto operation = world.stored.rbegin(); operation != world.stored.rend(); ++operation) {
        if (const auto* settled = std::get_if<SettleItems>(&*operation)) {
            return *settled;
        }
    }
    FAIL("no outcome was stored");
    std::abort();
}

bool is_acknowledged(World& world)
{
    const auto acks = world.take<proto::ResultAck>("a");
    return acks.size() == 1 && acks.front().verdict == proto::Verdict::accepted;
}

} // namespace

TEST_CASE("a small result goes to the disk in its outcome's commit, and is acknowledged only after it")
{
    World world(with_small_artifacts_up_to(result_bytes));
    world.join("a");
    world.submit("j", echo_job(1));
    const auto assign = world.start_all("a").at(0);
    world.disk = World::Disk::silent;
    world.finish("a", assign);

    REQUIRE(last_settled(world).content);
    REQUIRE(last_settled(world).content->bytes.size() == result_bytes);
    REQUIRE(world.files.empty());
    REQUIRE_FALSE(is_acknowledged(world));
    REQUIRE(world.summary("j").done == 0);

    world.answer_disk();
    REQUIRE(is_acknowledged(world));
    REQUIRE(world.summary("j").done == 1);
}

TEST_CASE("a larger result is a file before its outcome is stored")
{
    World world(with_small_artifacts_up_to(result_bytes - 1));
    world.join("a");
    world.submit("j", echo_job(1));
    const auto assign = world.start_all("a").at(0);
    world.disk = World::Disk::silent;
    world.finish("a", assign);
    REQUIRE(world.files.contains(fake_sha256()));
    REQUIRE(world.stored.size() == 1); // the job

    world.answer_disk();
    REQUIRE_FALSE(last_settled(world).content);
    REQUIRE_FALSE(is_acknowledged(world));
    world.answer_disk();
    REQUIRE(is_acknowledged(world));
}

TEST_CASE("a small result that the disk refused is given to it again with its bytes")
{
    World world;
    world.join("a");
    world.submit("j", echo_job(1));
    const auto assign = world.start_all("a").at(0);
    world.disk = World::Disk::full;
    world.finish("a", assign);
    world.wait_with_heartbeats(2'000, {"a"});
    REQUIRE_FALSE(is_acknowledged(world));

    world.disk = World::Disk::works;
    world.wait_with_heartbeats(2'000, {"a"});

    REQUIRE(is_acknowledged(world));
    REQUIRE(world.artifacts_on_disk().contains(fake_sha256()));
}

TEST_CASE("a result that two jobs share stays until both have left, small or large")
{
    const auto threshold = GENERATE(result_bytes - 1, result_bytes);
    Limits limits;
    limits.finished_jobs = 2;
    World world(with_small_artifacts_up_to(threshold), limits);
    world.join("a");
    draw(world, "j1");
    draw(world, "j2");
    REQUIRE(world.artifacts_on_disk().size() == 1);

    world.submit("failing1", echo_job(1));
    world.fail("a", world.start_all("a").at(0), proto::FailureReason::bad_request);
    REQUIRE(world.artifacts_on_disk().contains(fake_sha256())); // only j1 has left
    world.submit("failing2", echo_job(1));
    world.fail("a", world.start_all("a").at(0), proto::FailureReason::bad_request);

    REQUIRE(world.artifacts_on_disk().empty());
}

TEST_CASE("a damaged result does not keep what its hash named when the true owner leaves meanwhile")
{
    Limits limits;
    limits.finished_jobs = 1;
    World world({}, limits);
    world.join("a");
    draw(world, "owner");
    world.submit("next", echo_job(1));
    const auto assign = world.start_all("a").at(0);
    world.submit("other", echo_job(1));
    world.disk = World::Disk::silent;
    world.say("client", proto::CancelJob{{"other"}}); // "owner" leaves when this is on disk
    world.corrupts_artifacts = true;
    world.finish("a", assign);
    REQUIRE(world.artifacts_on_disk().contains(fake_sha256()));

    for (int round = 0; round < 4; ++round) {
        world.answer_disk();
    }

    REQUIRE(world.artifacts_on_disk().empty());
}

TEST_CASE("nothing leaves the books before all that the disk held is known")
{
    const auto restored = [](const std::string& id) {
        RestoredJob job;
        job.job = {{id}, std::make_shared<const proto::JobSpec>(echo_job(1)), 0, {}};
        job.outcomes = {{{0}, proto::ItemState::done, {5}, {{"a"}, {0}}, 1, "text/plain", fake_sha256(), 6, 1, ""}};
        return job;
    };
    const auto forgets = [](const Effects& effects) {
        std::size_t jobs = 0;
        for (const auto& effect : effects) {
            const auto* persist = std::get_if<Persist>(&effect);
            const auto* forgotten = persist == nullptr ? nullptr : std::get_if<ForgetJobs>(&persist->operation);
            jobs += forgotten == nullptr ? 0 : forgotten->jobs.size();
        }
        return jobs;
    };
    Limits limits;
    limits.finished_jobs = 0;
    Core core({{"cluster"}, 2, "test"}, {}, limits);

    REQUIRE(forgets(core.step(Restored{{restored("j1")}, {}, false}, {})) == 0);
    REQUIRE(forgets(core.step(Restored{{restored("j2")}, {}, true}, {})) == 2);
}

TEST_CASE("a job whose removal the disk refused is removed once it can be, and its name is not free before that")
{
    Limits limits;
    limits.finished_jobs = 1;
    World world({}, limits);
    world.join("a");
    draw(world, "old");
    world.submit("new", echo_job(1));
    world.disk = World::Disk::silent;
    world.finish("a", world.start_all("a").at(0));
    world.disk = World::Disk::full;
    world.answer_disk(); // "new" is over, so that "old" is to leave: this is what fails
    REQUIRE(world.jobs_on_disk().size() == 2);

    world.submit("old", echo_job(1));
    REQUIRE(world.take<proto::RequestFailed>("client").at(0).error == proto::RequestError::overloaded);
    world.disk = World::Disk::works;
    world.wait(2'000);

    REQUIRE(world.jobs_on_disk().size() == 1);
    REQUIRE(world.artifacts_on_disk().contains(fake_sha256())); // both had the same picture
    world.submit("old", echo_job(1));
    REQUIRE(world.take<proto::RequestFailed>("client").empty());
}
