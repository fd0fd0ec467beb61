// SPDX-License-Identifier: Apache-2.0
// Ranks of programs on a node, from the order to the last word about them.
#include "agent/core/rank_environment.hpp"
#include "tests/unit/agent/rank_story.hpp"

#include <algorithm>
#include <map>

using namespace sdfleet;
using namespace sdfleet::agent;
using namespace std::chrono_literals;

namespace {

std::map<std::string, std::string> environment_of(const SpawnRank& spawn)
{
    std::map<std::string, std::string> variables;
    for (const auto& [name, value] : spawn.environment) {
        INFO(name);
        REQUIRE(variables.emplace(name, value).second); // a second value would be ignored
    }
    return variables;
}

bool is_told(const RankStory& story, proto::ActorPhase phase)
{
    return std::ranges::any_of(story.sent<proto::ActorUpdate>(),
                               [&](const proto::ActorUpdate& update) { return update.actor.phase == phase; });
}

} // namespace

// ---------------------------------------------------------------- start

TEST_CASE("ranks start only when the actors whose devices they get have ended")
{
    RankStory story(3);
    story.coordinator_says(RankStory::order_of(2, 4711));

    REQUIRE(story.effects_of<KillActor>().size() == 2);
    REQUIRE(is_told(story, proto::ActorPhase::lent));
    REQUIRE(story.effects_of<SpawnRank>().empty());
    story.actor_dies(story.newest_launch(0));
    REQUIRE(story.effects_of<SpawnRank>().empty());
    story.actor_dies(story.newest_launch(1));

    const auto spawned = story.effects_of<SpawnRank>();
    REQUIRE(spawned.size() == 2);
    REQUIRE(spawned[0].command == std::vector<std::string>{"draw", "--fast"});
    REQUIRE(story.effects_of<SpawnActor>().empty()); // an actor that ends for this is not started again
}

TEST_CASE("an actor that does not die of one kill is killed again; the ranks wait")
{
    RankStory story(1);
    story.coordinator_says(RankStory::order_of(1, 4711));
    story.forget();

    story.pass_in_peace(5s);

    REQUIRE(story.effects_of<KillActor>().size() == 1);
    REQUIRE(story.effects_of<SpawnRank>().empty());
}

TEST_CASE("what an actor has in hand when its device is lent goes back to the coordinator")
{
    RankStory story(1);
    story.assign(1);
    story.assign(2);

    story.coordinator_says(RankStory::order_of(1));

    const auto failures = story.sent<proto::ItemFailed>();
    REQUIRE(failures.size() == 2);
    REQUIRE(failures[0].reason == proto::FailureReason::overloaded);
    story.forget();
    story.assign(3);
    REQUIRE(story.sent<proto::ItemFailed>().size() == 1);
}

TEST_CASE("rank 0's node chooses the port where all meet; the other nodes are told it")
{
    RankStory first(1);
    first.coordinator_says(RankStory::order_of(1));
    first.vacate(RankStory::order_of(1));
    REQUIRE(first.effects_of<ChoosePort>().size() == 1);
    REQUIRE(first.effects_of<SpawnRank>().empty());
    first.happen(PortChosen{the_run, 4321});
    first.spawned(0);
    REQUIRE(environment_of(first.effects_of<SpawnRank>().at(0))["MASTER_PORT"] == "4321");
    REQUIRE(first.sent<proto::RanksStarted>().at(0).master_port == 4321);

    RankStory second(1);
    second.start(RankStory::order_of(1, 4321));
    REQUIRE(second.effects_of<ChoosePort>().empty());
    REQUIRE(environment_of(second.effects_of<SpawnRank>().at(0))["MASTER_PORT"] == "4321");
}

TEST_CASE("without a free port no rank starts, each is told to have failed, and the devices go back")
{
    RankStory story(2);
    story.coordinator_says(RankStory::order_of(2));
    story.vacate(RankStory::order_of(2));

    story.happen(PortChosen{the_run, 0});

    REQUIRE(story.effects_of<SpawnRank>().empty());
    REQUIRE(story.sent<proto::RankExited>().size() == 2);
    REQUIRE(story.sent<proto::RankExited>()[0].exit.detail.find("no free port") != std::string::npos);
    REQUIRE(story.sent<proto::RanksGone>().size() == 1);
    REQUIRE(story.effects_of<SpawnActor>().size() == 2);
}

TEST_CASE("a rank finds torchrun's variables in its environment")
{
    auto order = RankStory::order_of(2, 4321);
    order.run.epoch = {3};
    order.spec.ranks = 6; // four of them elsewhere
    order.spec.max_restarts = 5;
    order.places = {{{4}, 0, {{0}}}, {{5}, 1, {{1}}}};
    order.node_rank = 2;
    order.node_count = 3;
    order.master_address = "10.0.0.1";
    RankStory story(2);
    story.coordinator_says(order);
    story.vacate(order);

    auto variables = environment_of(story.effects_of<SpawnRank>().at(1));

    const std::map<std::string, std::string> expected{{"RANK", "5"},
                                                      {"WORLD_SIZE", "6"},
                                                      {"LOCAL_RANK", "1"},
                                                      {"LOCAL_WORLD_SIZE", "2"},
                                                      {"GROUP_RANK", "2"},
                                                      {"GROUP_WORLD_SIZE", "3"},
                                                      {"ROLE_RANK", "5"},
                                                      {"ROLE_WORLD_SIZE", "6"},
                                                      {"MASTER_ADDR", "10.0.0.1"},
                                                      {"MASTER_PORT", "4321"},
                                                      {"TORCHELASTIC_RESTART_COUNT", "2"},
                                                      {"TORCHELASTIC_MAX_RESTARTS", "5"},
                                                      {"TORCHELASTIC_RUN_ID", "p"},
                                                      {"TORCHELASTIC_USE_AGENT_STORE", "False"},
                                                      {"SDFLEET_PROGRAM", "p"},
                                                      {"SDFLEET_EPOCH", "3"}};
    for (const auto& [name, value] : expected) {
        INFO(name);
        REQUIRE(variables[name] == value);
    }
    REQUIRE_FALSE(variables.contains("CUDA_VISIBLE_DEVICES")); // its devices are CPUs
}

TEST_CASE("of two values for a variable the program's wins over ours, and ours over the node's default")
{
    Settings settings = Story::settings(1, {});
    settings.rank_defaults = {{"OMP_NUM_THREADS", "1"}, {"RANK", "77"}};
    auto order = RankStory::order_of(1);
    order.spec.environment = {{"OMP_NUM_THREADS", "4"}, {"MASTER_PORT", "99"}, {"COLOUR", "red"}};

    auto variables = environment_of({{}, {}, {}, {}, rank_environment(settings, order, order.places[0], 4321)});

    REQUIRE(variables["OMP_NUM_THREADS"] == "4");
    REQUIRE(variables["MASTER_PORT"] == "99");
    REQUIRE(variables["COLOUR"] == "red");
    REQUIRE(variables["RANK"] == "0");
}

TEST_CASE("ranks see the GPUs of all ranks of their node, by the names that the agent itself has for them")
{
    Settings settings = Story::settings(0, {});
    settings.actor_devices = {"cuda:0", "cuda:1", "cuda:2"};
    auto order = RankStory::order_of(2);
    order.places = {{{0}, 0, {{0}}}, {{1}, 1, {{2}}}};
    const auto visible = [&] {
        return environment_of(
            {{}, {}, {}, {}, rank_environment(settings, order, order.places[1], 1)})["CUDA_VISIBLE_DEVICES"];
    };

    settings.cuda_names = {"GPU-a", "GPU-b", "GPU-c"};
    REQUIRE(visible() == "GPU-a,GPU-c");
    REQUIRE(environment_of({{}, {}, {}, {}, rank_environment(settings, order, order.places[0], 1)})
                .at("CUDA_DEVICE_ORDER") == "PCI_BUS_ID");
}

TEST_CASE("a GPU that two ranks share is named once")
{
    Settings settings = Story::settings(0, {});
    settings.actor_devices = {"cuda:0", "cuda:0"};
    settings.cuda_names = {"GPU-a"};
    auto order = RankStory::order_of(2);
    order.places = {{{0}, 0, {{0}}}, {{1}, 1, {{1}}}};

    const auto variables = environment_of({{}, {}, {}, {}, rank_environment(settings, order, order.places[1], 1)});

    REQUIRE(variables.at("CUDA_VISIBLE_DEVICES") == "GPU-a");
}

TEST_CASE("of MIG instances a rank gets its own alone, as CUDA shows no more than one")
{
    Settings settings = Story::settings(0, {});
    settings.actor_devices = {"cuda:0", "cuda:1"};
    settings.cuda_names = {"MIG-a", "MIG-b"};
    auto order = RankStory::order_of(2);
    order.places = {{{0}, 0, {{0}}}, {{1}, 1, {{1}}}};

    const auto variables = environment_of({{}, {}, {}, {}, rank_environment(settings, order, order.places[1], 1)});

    REQUIRE(variables.at("CUDA_VISIBLE_DEVICES") == "MIG-b");
}

TEST_CASE("the coordinator is told that the ranks started when it is known of each, failures included")
{
    RankStory story(2);
    story.coordinator_says(RankStory::order_of(2, 4711));
    story.vacate(RankStory::order_of(2));
    story.spawned(0);
    REQUIRE(story.sent<proto::RanksStarted>().empty());

    story.ended(1, {126, 0, "was not started: no memory"});

    const auto started = story.sent<proto::RanksStarted>();
    REQUIRE(started.size() == 1);
    REQUIRE(started[0].pids == std::vector<proto::RankPid>{{{0}, 500}});
    REQUIRE(story.sent<proto::RankExited>().at(0).exit.code == 126);
}

TEST_CASE("an order that is repeated starts nothing twice")
{
    RankStory story(1);
    story.start(1);
    story.forget();

    story.coordinator_says(RankStory::order_of(1));

    REQUIRE(story.effects_of<KillActor>().empty());
    REQUIRE(story.effects_of<ChoosePort>().empty());
}

TEST_CASE("ranks cannot have slots that the node does not have, or that other ranks have")
{
    RankStory story(2);
    story.coordinator_says(RankStory::order_of(3));
    REQUIRE(story.sent<proto::RanksGone>().size() == 1);
    REQUIRE(story.effects_of<KillActor>().empty());

    story.start(2);
    story.forget();
    auto other = RankStory::order_of(1);
    other.run = {{"q"}, {1}};
    story.coordinator_says(other);

    REQUIRE(story.sent<proto::RanksGone>().at(0).run == other.run);
    REQUIRE(story.effects_of<ChoosePort>().empty());
}

TEST_CASE("heartbeats name the runs that have something on this node")
{
    RankStory story(1);
    story.start(1);
    story.forget();
    story.pass_in_peace(500ms);
    REQUIRE(story.sent<proto::Heartbeat>().at(0).programs == std::vector<proto::ProgramRun>{the_run});

    story.end_all(1);
    story.forget();
    story.pass_in_peace(500ms);
    REQUIRE(story.sent<proto::Heartbeat>().at(0).programs.empty());
}

// ---------------------------------------------------------------- the end

TEST_CASE("ranks that are to stop are asked, then killed, then their keepers are")
{
    RankStory story(2);
    story.start(2);
    story.forget();

    story.stop_ranks(2'000);
    REQUIRE(story.endings() == "0:ask 1:ask");
    story.ended(1, {0, 15, ""});
    story.forget();

    story.pass_in_peace(1'999ms);
    REQUIRE(story.endings().empty());
    story.pass_in_peace(1ms);
    REQUIRE(story.endings() == "0:kill");
    story.pass_in_peace(3s);
    REQUIRE(story.endings() == "0:kill 0:clean up");
    story.pass_in_peace(3s);
    REQUIRE(story.endings() == "0:kill 0:clean up 0:clean up");

    story.ended(0, {0, 9, ""});
    REQUIRE(story.sent<proto::RankExited>().size() == 1);
    story.forget();
    story.pass_in_peace(10s);
    REQUIRE(story.endings().empty());
}

TEST_CASE("a stop may be repeated: it is asked once, and only a shorter grace counts")
{
    RankStory story(1);
    story.start(1);
    story.forget();
    story.stop_ranks(5'000);
    story.stop_ranks(4'000);
    story.stop_ranks(9'000);
    REQUIRE(story.endings() == "0:ask");

    story.pass_in_peace(4s);
    REQUIRE(story.endings() == "0:ask 0:kill");
}

TEST_CASE("a stop without grace kills at once")
{
    RankStory story(1);
    story.start(1);
    story.forget();

    story.stop_ranks(0);

    REQUIRE(story.endings() == "0:kill");
}

TEST_CASE("a run that is stopped before its actors have ended never starts, and gives the devices back")
{
    RankStory story(1);
    story.coordinator_says(RankStory::order_of(1));
    story.stop_ranks(5'000);
    REQUIRE(story.sent<proto::RanksGone>().empty()); // its device still ends its actor

    story.actor_dies(story.newest_launch(0));

    REQUIRE(story.effects_of<SpawnRank>().empty());
    REQUIRE(story.sent<proto::RankExited>().size() == 1);
    REQUIRE(story.sent<proto::RanksGone>().size() == 1);
    REQUIRE(story.effects_of<SpawnActor>().size() == 1);
    story.happen(PortChosen{the_run, 0}); // an answer that comes too late changes nothing
    REQUIRE(story.sent<proto::RankExited>().size() == 1);
}

TEST_CASE("a stop for a run that is not here is answered: nothing is left of it")
{
    RankStory story(1);

    story.stop_ranks(0);

    REQUIRE(story.sent<proto::RanksGone>().at(0).run == the_run);
}

TEST_CASE("devices go back to actors when the last rank has ended, and the coordinator hears both")
{
    RankStory story(2);
    story.start(2);
    story.forget();
    story.ended(0);
    story.close_streams(0);
    REQUIRE(story.effects_of<SpawnActor>().empty());

    story.ended(1, {3, 0, "exited with code 3"});
    REQUIRE(story.effects_of<SpawnActor>().size() == 2);
    REQUIRE(is_told(story, proto::ActorPhase::starting));
    REQUIRE(story.sent<proto::RanksGone>().empty()); // its last words are still to come
    story.close_streams(1);

    REQUIRE(story.sent<proto::RankExited>().size() == 2);
    REQUIRE(story.sent<proto::RankExited>()[1].exit.code == 3);
    REQUIRE(story.sent<proto::RanksGone>().size() == 1);
}

TEST_CASE("a node for programs alone has no actors to end and starts none")
{
    auto settings = Story::settings(1, {});
    settings.runs_actors = false;
    RankStory story(0);
    story.core = AgentCore(settings);
    story.happen(Tick{});
    story.join();
    REQUIRE(story.effects_of<SpawnActor>().empty());

    story.coordinator_says(RankStory::order_of(1, 4711));
    REQUIRE(story.effects_of<SpawnRank>().size() == 1);
    story.spawned(0);
    story.end_all(1);

    REQUIRE(story.effects_of<SpawnActor>().empty());
    REQUIRE(is_told(story, proto::ActorPhase::vacant));
}

TEST_CASE("with the lease the ranks are lost: they are killed at once")
{
    RankStory story(1);
    story.start(1);
    story.wrote(0, "not taken yet");
    story.forget();

    story.pass(6s);
    REQUIRE(story.endings() == "0:kill");
    story.ended(0, {0, 9, ""});
    story.close_streams(0);
    REQUIRE(story.effects_of<SpawnActor>().size() == 1);

    story.forget();
    story.join(2);
    REQUIRE(story.sent<proto::ProgramOutput>().empty());
    REQUIRE(story.sent<proto::RankExited>().size() == 1); // the coordinator may not have given them up
    REQUIRE(story.sent<proto::RanksGone>().size() == 1);
    story.forget();
    story.coordinator_says(RankStory::order_of(1)); // a word that was long on its way
    REQUIRE(story.effects_of<KillActor>().empty());
}

TEST_CASE("an agent that was superseded kills its ranks at once: they may be running elsewhere")
{
    RankStory story(1);
    story.start(1);
    story.forget();

    story.coordinator_says(proto::Refused{proto::RefusalReason::superseded, "a newer agent has joined"});

    REQUIRE(story.endings() == "0:kill");
    REQUIRE(story.effects_of<Exit>().empty());
    story.ended(0, {0, 9, ""});
    REQUIRE(story.effects_of<Exit>().size() == 1);
}

TEST_CASE("an agent that stops asks its ranks to end, kills them after a while, and says goodbye when none is left")
{
    RankStory story(2);
    story.start(2);
    story.forget();

    story.happen(StopRequested{"by SIGTERM"});
    REQUIRE(story.endings() == "0:ask 1:ask");
    REQUIRE(story.sent<proto::Goodbye>().empty());
    story.ended(0, {0, 15, ""});
    REQUIRE(story.sent<proto::Goodbye>().empty());
    story.forget();
    story.pass(2'500ms);
    REQUIRE(story.endings() == "1:kill");
    story.ended(1, {0, 9, ""});

    REQUIRE(story.sent<proto::Goodbye>().at(0).message == "by SIGTERM");
    REQUIRE(story.effects_of<Exit>().size() == 1);
    REQUIRE(story.effects_of<SpawnActor>().empty());
}

// ---------------------------------------------------------------- memory

TEST_CASE("after a new welcome all is told again, output before the end")
{
    RankStory story(2);
    story.start(2);
    story.wrote(0, "taken");
    story.wrote(0, "not taken");
    story.coordinator_says(proto::OutputTaken{the_run, 128 + 5});
    story.ended(1, {7, 0, "exited with code 7"});
    story.forget();

    story.join(1);
    REQUIRE(story.sent<proto::RanksStarted>().at(0).pids.size() == 2);
    REQUIRE(story.sent<proto::ProgramOutput>().size() == 1);
    REQUIRE(story.sent<proto::ProgramOutput>()[0].offset == 128 + 5);
    REQUIRE(story.sent<proto::RankExited>().at(0).exit.code == 7);
    REQUIRE(story.sent<proto::RanksGone>().empty());

    story.close_streams(1);
    story.end_all(1);
    story.forget();
    story.join(1);
    std::vector<proto::MessageType> order;
    for (const auto& send : story.effects_of<SendToCoordinator>()) {
        order.push_back(proto::type_of(send.packet.message));
    }
    const auto at = [&](proto::MessageType type) { return std::ranges::find(order, type) - order.begin(); };
    REQUIRE(at(proto::MessageType::program_output) < at(proto::MessageType::rank_exited));
    REQUIRE(at(proto::MessageType::rank_exited) < at(proto::MessageType::ranks_gone));
    REQUIRE(at(proto::MessageType::ranks_gone) < static_cast<std::ptrdiff_t>(order.size()));
}

TEST_CASE("a run is forgotten a while after its end")
{
    RankStory story(1);
    story.start(1);
    story.end_all(1);
    story.pass_in_peace(29s);
    story.forget();
    story.join(1);
    REQUIRE(story.sent<proto::RanksGone>().size() == 1);

    story.pass_in_peace(2s);
    story.forget();
    story.join(1);
    REQUIRE(story.sent<proto::RanksGone>().empty());
}
