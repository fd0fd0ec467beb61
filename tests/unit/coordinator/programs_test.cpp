// SPDX-License-Identifier: Apache-2.0
// Programs from launch to end, as the nodes and the client see them.
#include "tests/unit/coordinator/program_story.hpp"

using namespace sdfleet;
using namespace sdfleet::coordinator;
using proto::ProgramState;

namespace {

constexpr std::uint32_t sigterm = 15;

proto::RequestFailed refusal(World& world, const std::string& client, proto::Message message)
{
    world.say(client, std::move(message));
    return world.take_one<proto::RequestFailed>(client);
}

} // namespace

// ---------------------------------------------------------------- launch

TEST_CASE("a client without the right may neither launch nor watch nor stop programs, and learns how to get it")
{
    ProgramStory world({{"a", 1}});
    world.launch("p", program_of(1));
    world.say("stranger", proto::ClientHello{});

    for (const proto::Message& message :
         {proto::Message(proto::LaunchProgram{{"q"}, program_of(1)}),
          proto::Message(proto::WatchProgram{{"p"}, 0, 0, 0}), proto::Message(proto::StopProgram{{"p"}, true})}) {
        const auto refused = refusal(world, "stranger", message);
        REQUIRE(refused.error == proto::RequestError::not_allowed);
        REQUIRE(refused.message.find("--may-launch") != std::string::npos);
        REQUIRE(refused.message.find("--allow-programs") != std::string::npos);
    }
    REQUIRE(world.take<proto::StopRanks>("a").empty());
    REQUIRE(refusal(world, "client", proto::WatchProgram{{"q"}, 0, 0, 0}).error ==
            proto::RequestError::unknown_program);
}

TEST_CASE("what cannot be launched is refused with the reason")
{
    ProgramStory world({{"a", 2}});
    const auto refused = [&](const std::string& id, const proto::ProgramSpec& spec) {
        return refusal(world, "client", proto::LaunchProgram{{id}, spec});
    };

    REQUIRE(refused("no/slashes", program_of(1)).error == proto::RequestError::invalid);
    REQUIRE(refused("p", program_of(0)).error == proto::RequestError::invalid);
    REQUIRE(refused("p", program_of(3)).error == proto::RequestError::unservable);
    REQUIRE(refused("p", program_of(2, 2)).error == proto::RequestError::unservable);
    REQUIRE(world.take<proto::StartRanks>("a").empty());
}

TEST_CASE("a launch may be repeated and starts nothing twice, but an id stands for one program")
{
    ProgramStory world({{"a", 2}});
    world.launch("p", program_of(1));
    world.launch("p", program_of(1));

    REQUIRE(world.take<proto::StartRanks>("a").size() == 1);
    REQUIRE(refusal(world, "client", proto::LaunchProgram{{"p"}, program_of(2)}).error ==
            proto::RequestError::conflict);
}

TEST_CASE("rank 0's node starts first, and the others learn the port that it chose")
{
    ProgramStory world({{"a", 2}, {"b", 2}});
    world.launch("p", program_of(4));
    REQUIRE(world.take<proto::StartRanks>("b").empty());

    const auto first = world.start("a", 4711);
    const auto second = world.start("b");

    REQUIRE(first.node_rank == 0);
    REQUIRE(first.node_count == 2);
    REQUIRE(first.master_port == 0);
    REQUIRE(first.spec == program_of(4));
    REQUIRE(first.run == run_of("p"));
    REQUIRE(second.node_rank == 1);
    REQUIRE(second.master_port == 4711);
    REQUIRE(second.master_address == first.master_address);
    REQUIRE(second.places.front().rank == proto::Rank{2});
    REQUIRE(second.places.front().local_rank == 0);

    const auto program = world.look("p");
    REQUIRE(program.state == ProgramState::running);
    REQUIRE(program.ranks.size() == 4);
    REQUIRE(program.ranks[3].node_id == proto::NodeId{"b"});
    REQUIRE(program.ranks[3].pid == 9003);
    REQUIRE(program.ranks[3].state == proto::RankState::running);
    REQUIRE(program.ranks[3].devices == std::vector<std::string>{"cpu"});
}

TEST_CASE("a node that names no port for the ranks to meet holds the others back")
{
    ProgramStory world({{"a", 1}, {"b", 1}});
    world.launch("p", program_of(2));
    world.say("a", proto::RanksStarted{run_of("p"), 0, {{{0}, 1}}});

    REQUIRE(world.take<proto::StartRanks>("b").empty());
}

// ---------------------------------------------------------------- waiting

TEST_CASE("a program waits for devices that are at work, and gets them before other work does")
{
    ProgramStory world({{"a", 1}});
    world.submit("job", echo_job(4));
    const auto items = world.take<proto::Assign>("a"); // one runs, one is staged
    REQUIRE(items.size() == 2);
    world.accept("a", items[0]);
    world.accept("a", items[1]);
    world.say("a", proto::Started{items[0].attempt_id});

    world.launch("p", program_of(1));
    REQUIRE(world.look("p").state == ProgramState::waiting);
    REQUIRE(world.look("p").waiting_for == "1 of its devices finish an item first");
    REQUIRE(world.take_one<proto::CancelAttempt>("a").attempt_id == items[1].attempt_id);
    world.fail("a", items[1], proto::FailureReason::cancelled);
    REQUIRE(world.take<proto::StartRanks>("a").empty());

    world.finish("a", items[0]);
    REQUIRE(world.take<proto::Assign>("a").empty());
    world.start("a");
    world.end("a", run_of("p"));

    REQUIRE(world.look("p").state == ProgramState::done);
    REQUIRE(world.take<proto::Assign>("a").size() == 2);
}

TEST_CASE("devices come all or none: what is free stays free for work until all can be had")
{
    ProgramStory world({{"a", 1}, {"b", 1}});
    world.launch("first", program_of(1));
    world.start("a");
    world.launch("second", program_of(2));

    REQUIRE(world.take<proto::StartRanks>("b").empty());
    REQUIRE(world.look("second").waiting_for.find("2 ranks are wanted") == 0);
    world.submit("job", echo_job(1));
    world.finish("b", world.start_all("b").at(0));

    world.end("a", run_of("first"));
    world.start("a");
    world.start("b");
    REQUIRE(world.look("second").state == ProgramState::running);
}

TEST_CASE("programs start in the order of their launches: small ones do not overtake")
{
    ProgramStory world({{"a", 2}});
    world.launch("z", program_of(1));
    world.start("a");
    world.launch("y", program_of(2));
    world.launch("x", program_of(1));

    REQUIRE(world.take<proto::StartRanks>("a").empty());
    REQUIRE(world.look("x").waiting_for == "program y is to start first");

    world.end("a", run_of("z"));
    REQUIRE(world.start("a").run == run_of("y"));
    world.end("a", run_of("y"));
    REQUIRE(world.start("a").run == run_of("x"));
}

TEST_CASE("several programs start at once when there is room for all")
{
    ProgramStory world({{"a", 2}});
    world.launch("z", program_of(2));
    world.start("a");
    world.launch("y", program_of(1));
    world.launch("x", program_of(1));

    world.end("a", run_of("z"));

    REQUIRE(world.take<proto::StartRanks>("a").size() == 2);
}

TEST_CASE("a program that the fleet cannot hold any more, since a node went, holds up nobody, and comes first again")
{
    ProgramStory world({{"a", 1}, {"b", 1}});
    world.launch("z", program_of(1));
    world.start("a");
    world.launch("large", program_of(2));
    world.say("b", proto::Goodbye{"for today"});
    world.launch("small", program_of(1));

    world.end("a", run_of("z"));
    REQUIRE(world.start("a").run == run_of("small"));
    REQUIRE(world.look("large").state == ProgramState::waiting);

    world.join("b", 1, 2);
    world.launch("later", program_of(1));
    REQUIRE(world.take<proto::StartRanks>("b").empty());
    world.end("a", run_of("small"));
    REQUIRE(world.start("a").run == run_of("large"));
}

TEST_CASE("a reserved node that goes sets the other devices free again")
{
    ProgramStory world({{"a", 1}, {"b", 1}});
    world.submit("job", echo_job(1));
    const auto item = world.start_all("a").at(0);
    world.launch("p", program_of(2)); // b is kept free for it

    world.say("a", proto::Goodbye{""});

    REQUIRE(world.take_one<proto::Assign>("b").item.prompt == item.item.prompt);
}

// ---------------------------------------------------------------- the end

TEST_CASE("a program is done when all ranks ended well and nothing is left of them")
{
    ProgramStory world({{"a", 2}});
    world.launch("p", program_of(2));
    world.start("a");

    world.exit("a", run_of("p"), 0, 0);
    world.exit("a", run_of("p"), 1, 0);
    REQUIRE(world.look("p").state == ProgramState::running);
    world.gone("a", run_of("p"));

    const auto program = world.look("p");
    REQUIRE(program.state == ProgramState::done);
    REQUIRE(program.failed.empty());
    REQUIRE(program.ranks[1].state == proto::RankState::ended);
    REQUIRE(world.take<proto::StopRanks>("a").empty());
}

TEST_CASE("the first failure stops the others, on all nodes, with the program's grace")
{
    ProgramStory world({{"a", 1}, {"b", 1}});
    auto spec = program_of(2);
    spec.stop_grace_ms = 2'000;
    world.launch("p", spec);
    world.start("a");
    world.start("b");

    world.exit("b", run_of("p"), 1, 7);

    REQUIRE(world.take_one<proto::StopRanks>("a") == proto::StopRanks{run_of("p"), 2'000});
    REQUIRE(world.take_one<proto::StopRanks>("b") == proto::StopRanks{run_of("p"), 2'000});
    REQUIRE(world.look("p").state == ProgramState::stopping);
    REQUIRE(world.look("p").detail == "rank 1 on b ended with exit code 7");

    world.gone("b", run_of("p"));
    world.end("a", run_of("p"), 0, sigterm);

    const auto program = world.look("p");
    REQUIRE(program.state == ProgramState::failed);
    REQUIRE(program.failed == std::vector<proto::Rank>{{1}}); // rank 0 was stopped for its sake
    REQUIRE(program.ranks[0].exit.signal == sigterm);
}

TEST_CASE("when rank 0's node fails at the start the other nodes never hear of the program")
{
    ProgramStory world({{"a", 1}, {"b", 1}});
    world.launch("p", program_of(2));
    world.take_one<proto::StartRanks>("a");
    world.say("a", proto::RankExited{run_of("p"), {0}, {127, 0, "was not started"}});
    world.say("a", proto::RanksStarted{run_of("p"), 4321, {}});
    world.say("a", proto::RanksGone{run_of("p")});

    REQUIRE(world.look("p").state == ProgramState::failed);
    REQUIRE(world.look("p").failed == std::vector<proto::Rank>{{0}});
    REQUIRE(world.take<proto::StartRanks>("b").empty());
    REQUIRE(world.take<proto::StopRanks>("b").empty());
    world.submit("job", echo_job(2));
    REQUIRE(world.take<proto::Assign>("b").size() == 1);
}

TEST_CASE("a program with restarts begins again with the next epoch, as often as it may")
{
    ProgramStory world({{"a", 1}, {"b", 1}});
    auto spec = program_of(2);
    spec.max_restarts = 1;
    world.launch("p", spec);
    world.start("a");
    world.start("b");
    world.exit("a", run_of("p"), 0, 3);
    world.gone("a", run_of("p"));
    REQUIRE(world.take<proto::StartRanks>("a").empty()); // not before the last rank of the first try is gone
    world.end("b", run_of("p"), 0, sigterm);

    REQUIRE(world.start("a").run == run_of("p", 2));
    REQUIRE(world.start("b").run == run_of("p", 2));
    REQUIRE(world.look("p").epoch == proto::Epoch{2});
    REQUIRE(world.look("p").failed.empty());
    world.exit("a", run_of("p", 1), 0, 9); // an echo of the first try
    REQUIRE(world.look("p").state == ProgramState::running);

    world.exit("b", run_of("p", 2), 1, 4);
    world.gone("b", run_of("p", 2));
    world.end("a", run_of("p", 2), 0, sigterm);
    const auto program = world.look("p");
    REQUIRE(program.state == ProgramState::failed);
    REQUIRE(program.failed == std::vector<proto::Rank>{{1}});
    REQUIRE(program.ranks[1].exit.code == 4);
}

TEST_CASE("while a program waits for its next try the failures of the last one are not told as new")
{
    ProgramStory world({{"a", 1}});
    auto spec = program_of(1);
    spec.max_restarts = 5;
    world.launch("p", spec);
    world.start("a");
    world.exit("a", run_of("p"), 0, 3);
    world.say("a", proto::RanksGone{run_of("p")}); // the device itself is given back a moment later

    const auto program = world.look("p");
    REQUIRE(program.state == ProgramState::waiting);
    REQUIRE(program.epoch == proto::Epoch{2});
    REQUIRE(program.failed.empty());
    REQUIRE(program.detail.find("ended with exit code 3; starting again, 1 of 5 restarts") != std::string::npos);
}

TEST_CASE("StopRanks is said again, with what is left of the grace, until the node says that all is gone")
{
    ProgramStory world({{"a", 1}});
    auto spec = program_of(1);
    spec.stop_grace_ms = 1'500;
    world.launch("p", spec);
    world.start("a");
    world.say("client", proto::StopProgram{{"p"}, false});
    world.take<proto::ProgramChanges>("client");
    REQUIRE(world.take_one<proto::StopRanks>("a").grace_ms == 1'500);

    world.wait_in_peace(1'000, {"a"}, "p");
    world.wait(1);
    REQUIRE(world.take<proto::StopRanks>("a").back().grace_ms == 500);
    world.wait_in_peace(2'000, {"a"}, "p");
    REQUIRE(world.take<proto::StopRanks>("a").back().grace_ms == 0);

    world.end("a", run_of("p"), 0, sigterm);
    REQUIRE(world.look("p").state == ProgramState::stopped);
    world.wait_in_peace(2'000, {"a"}, "p");
    REQUIRE(world.take<proto::StopRanks>("a").empty());
}

TEST_CASE("ranks that never end are left to their node at last, and its device to them")
{
    ProgramStory world({{"a", 1}});
    auto spec = program_of(1);
    spec.max_restarts = 1;
    spec.stop_grace_ms = 0;
    world.launch("p", spec);
    world.start("a");
    world.exit("a", run_of("p"), 0, 1);

    world.wait_in_peace(32'000, {"a"}, "p");

    REQUIRE(world.look("p").state == ProgramState::waiting);
    REQUIRE(world.take<proto::StartRanks>("a").empty()); // the device is lent to what is left of the first try
    world.take<proto::StopRanks>("a");
    world.beat("a");
    REQUIRE(world.take_one<proto::StopRanks>("a") == proto::StopRanks{run_of("p"), 0});
    world.gone("a", run_of("p"));
    REQUIRE(world.start("a").run == run_of("p", 2));
}

TEST_CASE("a client can stop its program while it waits, while it runs, and make it quick")
{
    ProgramStory world({{"a", 1}});
    world.launch("p", program_of(1));
    world.launch("q", program_of(1));
    world.start("a");

    world.say("client", proto::StopProgram{{"q"}, false});
    REQUIRE(world.look("q").state == ProgramState::stopped);

    world.say("client", proto::StopProgram{{"p"}, false});
    REQUIRE(world.take_one<proto::StopRanks>("a").grace_ms == 5'000);
    world.say("client", proto::StopProgram{{"p"}, true});
    REQUIRE(world.take_one<proto::StopRanks>("a").grace_ms == 0);
    world.take<proto::ProgramChanges>("client");
    world.end("a", run_of("p"), 0, sigterm);

    const auto program = world.look("p");
    REQUIRE(program.state == ProgramState::stopped);
    REQUIRE(program.failed.empty());
}

TEST_CASE("a stopped program is not started again, however many restarts it has left")
{
    ProgramStory world({{"a", 1}});
    auto spec = program_of(1);
    spec.max_restarts = 9;
    world.launch("p", spec);
    world.start("a");
    world.exit("a", run_of("p"), 0, 1);
    world.say("client", proto::StopProgram{{"p"}, false});
    world.take<proto::ProgramChanges>("client");
    world.gone("a", run_of("p"));

    REQUIRE(world.look("p").state == ProgramState::stopped);
    REQUIRE(world.take<proto::StartRanks>("a").empty());
}

TEST_CASE("a program whose client falls silent is stopped")
{
    ProgramStory world({{"a", 1}});
    world.launch("p", program_of(1));
    world.start("a");
    world.look("p");
    for (int i = 0; i < 29; ++i) {
        world.beat("a");
        world.wait(500);
    }
    REQUIRE(world.take<proto::StopRanks>("a").empty());

    world.beat("a");
    world.wait(500);

    REQUIRE(world.take_one<proto::StopRanks>("a").run == run_of("p"));
    world.end("a", run_of("p"), 0, sigterm);
    REQUIRE(world.look("p").state == ProgramState::stopped);
    REQUIRE(world.look("p").detail == "its client was silent for 15 s");
}

TEST_CASE("a coordinator that was held up itself does not take its clients for silent")
{
    ProgramStory world({{"a", 1}});
    world.launch("p", program_of(1));
    world.start("a");
    const auto seen = world.look("p").last_change;
    world.say("client", proto::WatchProgram{{"p"}, 0, seen, 2'000});

    world.now = world.now + Milliseconds{20'000}; // nothing of the kind was asked for in all the time
    world.beat("a");

    REQUIRE(world.take<proto::StopRanks>("a").empty());
    REQUIRE(world.look("p").state == ProgramState::running);
}

TEST_CASE("a node that does not start its ranks in time fails the program, which says so")
{
    ProgramStory world({{"a", 1}});
    world.launch("p", program_of(1));
    world.runs["a"].push_back(world.take_one<proto::StartRanks>("a")); // its actor does not end

    world.wait_in_peace(61'000, {"a"}, "p");

    REQUIRE(world.look("p").detail == "node a did not start its ranks within 60 s");
    REQUIRE(world.look("p").failed == std::vector<proto::Rank>{{0}});
    REQUIRE(world.look("p").ranks[0].exit.detail == "did not start in time");
    REQUIRE_FALSE(world.take<proto::StopRanks>("a").empty());
    world.say("a", proto::RanksGone{run_of("p")});
    REQUIRE(world.look("p").state == ProgramState::failed);
}

// ---------------------------------------------------------------- nodes that go

TEST_CASE("with a node its ranks are lost, the others are stopped, and the next try is made elsewhere")
{
    ProgramStory world({{"a", 1}, {"b", 1}, {"c", 1}});
    auto spec = program_of(2);
    spec.max_restarts = 1;
    world.launch("p", spec);
    world.start("a");
    world.start("b");

    world.wait_in_peace(6'000, {"a", "c"}, "p"); // b is silent
    REQUIRE(world.look("p").detail.find("rank 1 on b node b is lost") == 0);
    REQUIRE(world.take<proto::StopRanks>("a").front().run == run_of("p"));
    REQUIRE(world.take<proto::StartRanks>("c").empty());
    world.end("a", run_of("p"), 0, sigterm);

    REQUIRE(world.start("a").run == run_of("p", 2));
    REQUIRE(world.start("c").run == run_of("p", 2));
}

TEST_CASE("ranks do not outlive their agent: one that was started again has none of them")
{
    ProgramStory world({{"a", 1}});
    world.launch("p", program_of(1));
    world.start("a");

    world.say("new a", world.hello_of("a", 1, 2));

    REQUIRE(world.look("p").state == ProgramState::failed);
    REQUIRE(world.look("p").detail.find("its agent was started again") != std::string::npos);
}

TEST_CASE("a node that reconnects keeps its ranks and its lent devices")
{
    ProgramStory world({{"a", 1}});
    world.submit("job", echo_job(2));
    const auto items = world.start_all("a");
    world.launch("p", program_of(1));
    world.take<proto::CancelAttempt>("a");
    world.fail("a", items[1], proto::FailureReason::cancelled);
    auto hello = world.hello_of("a");
    hello.attempts.push_back({items[0].attempt_id, {"job"}, {0}, {0}});

    world.say("a again", hello);
    REQUIRE(world.take<proto::Assign>("a again").empty());
    world.finish("a again", items[0]);

    REQUIRE(world.take_one<proto::StartRanks>("a again").run == run_of("p"));
}

TEST_CASE("a run that is absent from its node's heartbeats for a while is gone")
{
    ProgramStory world({{"a", 1}});
    world.launch("p", program_of(1));
    world.start("a");
    world.wait_in_peace(5'000, {"a"}, "p");
    REQUIRE(world.look("p").state == ProgramState::running);

    world.runs["a"].clear();
    world.wait_in_peace(3'000, {"a"}, "p");
    REQUIRE(world.look("p").state == ProgramState::running);
    world.wait_in_peace(1'000, {"a"}, "p");

    REQUIRE(world.look("p").state == ProgramState::failed);
    REQUIRE(world.look("p").detail.find("node a does not have it any more") != std::string::npos);
}

TEST_CASE(
    "a run that nobody knows is stopped at once when a heartbeat names it: ranks of an earlier coordinator, for one")
{
    ProgramStory world({{"a", 1}});

    world.say("a", proto::Heartbeat{1, {}, {}, {run_of("old", 3)}});

    REQUIRE(world.take_one<proto::StopRanks>("a") == proto::StopRanks{run_of("old", 3), 0});
}

TEST_CASE("a node that has no part in a program cannot end its ranks")
{
    ProgramStory world({{"a", 1}, {"b", 1}});
    world.launch("p", program_of(1));
    world.start("a");

    world.exit("b", run_of("p"), 0, 1);
    world.say("b", proto::RanksGone{run_of("p")});
    world.exit("a", run_of("p"), 77, 1);

    REQUIRE(world.look("p").state == ProgramState::running);
    REQUIRE(world.take<proto::StopRanks>("a").empty());
}

TEST_CASE("what a node says about a rank's end is cut to a line that people can read")
{
    ProgramStory world({{"a", 1}});
    world.launch("p", program_of(1));
    world.start("a");
    world.say("a", proto::RankExited{run_of("p"), {0}, {1, 0, std::string(1u << 20, 'x')}});

    REQUIRE(world.look("p").ranks[0].exit.detail.size() <= 512);
}

// ---------------------------------------------------------------- watching

TEST_CASE("a client that waits for news gets them when there are some, or when its patience ends")
{
    ProgramStory world({{"a", 1}});
    world.launch("p", program_of(1));
    world.start("a");
    const auto seen = world.look("p").last_change;

    world.say("client", proto::WatchProgram{{"p"}, 0, seen, 2'000});
    REQUIRE(world.take<proto::ProgramChanges>("client").empty());
    world.exit("a", run_of("p"), 0, 0);
    REQUIRE(world.take_one<proto::ProgramChanges>("client").ranks[0].state == proto::RankState::ended);

    world.say("client", proto::WatchProgram{{"p"}, 0, world.look("p").last_change, 2'000});
    world.wait(1'999);
    REQUIRE(world.take<proto::ProgramChanges>("client").empty());
    world.wait(1);
    REQUIRE(world.take<proto::ProgramChanges>("client").size() == 1);
}

TEST_CASE("a program that is over can be asked for a while, then it is forgotten, and who waits is answered")
{
    ProgramStory world({{"a", 1}});
    world.launch("p", program_of(1));
    world.start("a");
    world.end("a", run_of("p"));
    const auto seen = world.look("p").last_change;
    world.wait_with_heartbeats(55'000, {"a"});
    world.say("client", proto::WatchProgram{{"p"}, 0, seen, 10'000});
    world.take<proto::ProgramChanges>("client");
    world.say("client", proto::WatchProgram{{"p"}, 0, seen, 10'000});
    world.take<proto::ProgramChanges>("client"); // the request before is answered when the next one comes

    world.wait(5'000);

    REQUIRE(world.take_one<proto::ProgramChanges>("client").state == ProgramState::done);
    REQUIRE(refusal(world, "client", proto::WatchProgram{{"p"}, 0, 0, 0}).error ==
            proto::RequestError::unknown_program);
}
