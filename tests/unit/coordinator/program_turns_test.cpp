// SPDX-License-Identifier: Apache-2.0
// Which of several waiting programs gets the devices.
#include "tests/unit/coordinator/program_story.hpp"

using namespace sdfleet;
using namespace sdfleet::coordinator;

TEST_CASE("devices that a later program keeps do not bar an earlier one that can be placed again")
{
    ProgramStory world({{"a", 1}, {"b", 1}});
    world.submit("job", echo_job(4));
    const auto on_a = world.start_all("a");
    world.launch("first", program_of(2));
    world.say("b", proto::Goodbye{"maintenance"});
    world.launch("second", program_of(1)); // keeps the device of a, which is at work
    REQUIRE(world.take<proto::StartRanks>("a").empty());

    world.join("b", 1, 2);
    for (const auto& assign : on_a) {
        world.finish("a", assign);
    }

    REQUIRE(world.take_one<proto::StartRanks>("a").run.program_id == proto::ProgramId{"first"});
}
