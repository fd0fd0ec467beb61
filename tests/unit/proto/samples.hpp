// SPDX-License-Identifier: Apache-2.0
// One filled message of every type, in the order of the variant, for the codec's tests.
#pragma once

#include "proto/messages.hpp"

#include <vector>

namespace sdfleet::proto {

inline std::vector<Message> sample_messages()
{
    const ActorState actor{{1}, "cpu", ActorPhase::ready, 4711, 2, "x", 4};
    const ActorReport actor_report{{"node-a"}, actor, {"job"}, {3}, 4, 20, 2, 7};
    const DiffusionParameters diffusion{"blurry", 20, 4.5, 64, 72, "euler", PromptSyntax::a1111, 1};
    const ItemSpec item{"a red circle", 42, std::nullopt};
    const ItemReport item_report{{3}, ItemState::done, 20, 20, 1, {"node-a"}, {1}, std::string(64, 'a'), 4096, 250, ""};
    const JobSummary job{{"job"}, "diffusion", "tiny-shapes", JobState::running, 8, 1, 2, 3, 1, 1, 1700000000000, "x"};
    const ModelInfo model{"tiny-shapes", "f00d"};
    const AttemptReport attempt{{4294967297}, {"job"}, {3}, {1}};
    const JobSpec spec{"tiny-shapes", Split::rank, {diffusion}, {{"a red circle", 42, 1}}, 7};
    const ProgramRun run{{"program"}, {2}};
    const ProgramSpec program{{"python3", "train.py"}, {{"SEED", "1"}}, "/data", 4, 2, 1, 3, 5000};
    const GroupMember member{{1}, "host", {"ipc:///run/a", "tcp://10.0.0.1:40123"}, std::string(40, 'k')};
    const Parameters echo{EchoParameters{10, 100}};
    return {
        AgentHello{1,
                   1,
                   "0.1.0",
                   Channel::control,
                   {"node-a"},
                   {99},
                   "host",
                   12,
                   {{"cpu", "EPYC", 1024}},
                   {model},
                   {actor},
                   {attempt},
                   "10.0.0.1"},
        ClientHello{1, 1, "0.1.0"},
        ActorHello{1, 1, "0.1.0", {1}, 4711, 4},
        Welcome{1, "0.1.0", 5, 500, 5000},
        Refused{RefusalReason::superseded, "newer", 1, 1},
        Goodbye{"stopped"},
        Heartbeat{7, {{4294967297}}, {actor}, {run}},
        HeartbeatAck{7, 5000},
        ActorUpdate{actor},
        Assign{{4294967297}, {"job"}, {3}, {1}, "tiny-shapes", {diffusion}, item, true},
        Accepted{{4294967297}},
        Started{{4294967297}},
        StepProgress{{4294967297}, 4, 20},
        ItemDone{{4294967297}, {"job"}, {3}, "image/png", std::string(64, 'a'), 250},
        ItemFailed{{4294967297}, {"job"}, {3}, FailureReason::not_finite, "NaN"},
        ResultAck{{4294967297}, Verdict::stale},
        CancelAttempt{{4294967297}},
        Submit{{"job"}, spec},
        Submitted{job, true},
        WatchJob{{"job"}, 17, 256, 1000},
        JobChanges{job, {item_report}, 18, true, {actor_report}},
        GetJob{{"job"}, 2, 10},
        JobDetail{job, Split::pull, echo, 2, {item}, {item_report}},
        ListJobs{5},
        JobList{{job}, 9},
        ListNodes{false},
        NodeList{{{{"node-a"},
                   {99},
                   NodeState::suspect,
                   "host",
                   "0.1.0",
                   12,
                   {{"cpu", "EPYC", 1024}},
                   {model},
                   {actor_report},
                   true,
                   "x"}}},
        ListModels{true},
        ModelList{{{"tiny-shapes", {"f00d"}, {{"node-a"}}, 2}}},
        CancelJob{{"job"}},
        JobCancelled{job},
        FetchArtifact{std::string(64, 'a')},
        Artifact{std::string(64, 'a')},
        RequestFailed{RequestError::overloaded, "busy", 250},
        DrainNode{{"node-a"}, true},
        FenceNode{{"node-a"}},
        NodeChanged{{{"node-a"}, {99}, NodeState::lost, "host", "0.1.0", 12, {}, {model}, {}, false, "fenced"}},
        GetStatus{5},
        Status{"0.1.0", 5,  1000, true, "x", 1,  2,  3,  4,  5,  6,  7,  8,  3,          9,  10,          11, 12,
               13,      14, 15,   16,   17,  18, 19, 20, 21, 22, 23, 24, 25, {{100, 3}}, 26, {{12, "x"}}, 27},
        LaunchProgram{{"program"}, program},
        ProgramLaunched{{"program"}, 10000},
        WatchProgram{{"program"}, 3, 4, 1000},
        ProgramChanges{{"program"},
                       ProgramState::stopping,
                       {2},
                       "devices",
                       "rank 1 failed",
                       {{{1}, {"node-a"}, {"cpu"}, 4711, RankState::ended, {0, 9, "killed"}}},
                       {{1}},
                       4,
                       {{{1}, OutputStream::err, 12}},
                       5},
        StopProgram{{"program"}, true},
        StartRanks{run, program, {{{1}, 0, {{2}, {3}}}}, 1, 2, "10.0.0.1", 29500},
        RanksStarted{run, 29500, {{{1}, 4711}}},
        RankExited{run, {1}, {1, 0, "exit code 1"}},
        ProgramOutput{run, 100, {{{1}, OutputStream::out, 12}}},
        OutputTaken{run, 12},
        StopRanks{run, 5000},
        RanksGone{run},
        GroupJoin{{"program/default"}, {2}, 4, 30000, member},
        GroupFormed{{"program/default"}, {2}, {member}},
        GroupRefused{{"program/default"}, {2}, GroupRefusal::stale_epoch, {{3}}, "old"},
        GroupAbort{{"program/default"}, {2}, {{3}}, "rank 3 was killed"},
        GroupLeave{{"program/default"}, {2}, {1}},
        AssignGroup{{"job"},
                    {2},
                    {1},
                    2,
                    {0},
                    {"job"},
                    "tiny-shapes",
                    {diffusion},
                    Gather::zmq,
                    60000,
                    {{{4294967297}, {3}, {1}, item}},
                    "10.0.0.1"},
    };
}

} // namespace sdfleet::proto
