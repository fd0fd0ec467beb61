// SPDX-License-Identifier: Apache-2.0
// Programs of which the coordinator does not hear everything.
#include "tests/unit/coordinator/program_story.hpp"

using namespace sdfleet;
using namespace sdfleet::coordinator;

TEST_CASE("a program whose rank 0 was over before anybody heard where the ranks meet does not wait for ever")
{
    ProgramStory world({{"a", 1}, {"b", 1}});
    auto spec = program_of(2);
    spec.max_restarts = 1;
    world.launch("p", spec);
    world.take<proto::StartRanks>("a"); // RanksStarted is lost on the way

    world.exit("a", run_of("p"), 0, 0);
    world.say("a", proto::RanksGone{run_of("p")});

    REQUIRE(world.take<proto::StartRanks>("b").empty());
    REQUIRE(world.take_one<proto::StartRanks>("a").run == run_of("p", 2));
    REQUIRE(world.look("p").detail.find("before its node told where the ranks meet") != std::string::npos);
}

TEST_CASE("what a node says of a run of an earlier coordinator does not end a program that waits under the same name")
{
    ProgramStory world({{"a", 1}});
    world.submit("job", echo_job(1));
    const auto drawn = world.start_all("a");
    world.launch("p", program_of(1)); // keeps the device, which is at work

    world.exit("a", run_of("p"), 0, 1);
    world.say("a", proto::RanksGone{run_of("p")});
    world.finish("a", drawn.at(0));

    REQUIRE(world.take<proto::StartRanks>("a").size() == 1);
}
