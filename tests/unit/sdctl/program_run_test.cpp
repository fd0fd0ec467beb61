// SPDX-License-Identifier: Apache-2.0
// `sdctl launch` against a coordinator that does as it is told.
#include "sdctl/program_run.hpp"

#include "tests/unit/client/fake_coordinator.hpp"
#include "tests/unit/sdctl/captured_output.hpp"

#include <memory>
#include <mutex>
#include <vector>

namespace proto = sdfleet::proto;
namespace sdctl = sdfleet::sdctl;
using sdfleet::base::ExitCode;
using sdfleet::tests::CapturedOutput;
using sdfleet::tests::FakeCoordinator;
using sdfleet::tests::packet_of;

namespace {

proto::ProgramChanges program_in(proto::ProgramState state)
{
    proto::ProgramChanges changes;
    changes.program_id = {"p"};
    changes.state = state;
    changes.epoch = {1};
    for (std::uint32_t rank = 0; rank < 2; ++rank) {
        proto::RankReport report;
        report.rank = {rank};
        report.node_id = {"node-a"};
        report.devices = {"cpu"};
        changes.ranks.push_back(report);
    }
    return changes;
}

proto::ProgramChanges failed_with(std::uint32_t code, std::uint32_t signal = 0)
{
    auto changes = program_in(proto::ProgramState::failed);
    changes.failed = {{1}};
    changes.ranks[1].exit = {code, signal, "ended somehow"};
    changes.ranks[0].exit = {0, 15, "was killed by SIGTERM"};
    return changes;
}

/// Answers each WatchProgram with the next of its answers, and the last one again and again.
struct Script {
    struct Answer {
        proto::ProgramChanges changes;
        std::string output;
    };
    std::vector<Answer> answers;
    std::vector<proto::WatchProgram> watched;
    std::vector<proto::StopProgram> stopped;
    std::optional<proto::RequestFailed> refusal;

    void add(proto::ProgramChanges changes, const std::string& output = "")
    {
        changes.last_change = answers.size() + 1;
        changes.last_output = answers.empty() ? 0 : answers.back().changes.last_output;
        if (!output.empty()) {
            changes.output = {{{0}, proto::OutputStream::out, static_cast<std::uint32_t>(output.size())}};
            ++changes.last_output;
        }
        answers.push_back({std::move(changes), output});
    }

    std::optional<proto::Packet> operator()(const proto::Message& message)
    {
        if (refusal) {
            return packet_of(*refusal);
        }
        if (const auto* launch = std::get_if<proto::LaunchProgram>(&message)) {
            return packet_of(proto::ProgramLaunched{launch->program_id, 15'000});
        }
        if (const auto* stop = std::get_if<proto::StopProgram>(&message)) {
            stopped.push_back(*stop);
            return packet_of(answers.back().changes);
        }
        if (const auto* watch = std::get_if<proto::WatchProgram>(&message)) {
            const auto& answer = answers.at(std::min(watched.size(), answers.size() - 1));
            watched.push_back(*watch);
            auto packet = packet_of(answer.changes);
            if (!answer.output.empty()) {
                packet.blobs.push_back(proto::Blob::of(answer.output));
            }
            return packet;
        }
        return std::nullopt;
    }
};

struct Ended {
    sdfleet::base::Result<int> code;
    CapturedOutput::Text text;
};

Ended run(Script& script, bool is_json = false, sdctl::ProgramLogs logs = sdctl::ProgramLogs(sdctl::LogStyle::prefixed))
{
    FakeCoordinator coordinator(
        sdfleet::tests::welcoming([&script](const proto::Message& message) { return script(message); }));
    sdfleet::client::ClientOptions options;
    options.endpoint = coordinator.endpoint();
    auto client = sdfleet::client::Client::connect(options);
    REQUIRE(client);
    proto::LaunchProgram launch{{"p"}, {}};
    launch.spec.command = {"draw"};
    launch.spec.ranks = 2;
    launch.spec.max_restarts = 3;
    CapturedOutput output;
    auto code = sdctl::run_program(*client, launch, logs, is_json);
    return {std::move(code), output.take()};
}

} // namespace

TEST_CASE("the exit code is the first failing rank's, as a shell would tell it")
{
    using proto::ProgramState;
    REQUIRE(sdctl::exit_code_of(program_in(ProgramState::done), false) == 0);
    REQUIRE(sdctl::exit_code_of(failed_with(7), false) == 7);
    REQUIRE(sdctl::exit_code_of(failed_with(0, 9), false) == 137);
    REQUIRE(sdctl::exit_code_of(program_in(ProgramState::stopped), true) == 130);
    REQUIRE(sdctl::exit_code_of(failed_with(7), true) == 130);
    REQUIRE(sdctl::exit_code_of(program_in(ProgramState::stopped), false) == 1);
    REQUIRE(sdctl::exit_code_of(program_in(ProgramState::done), true) == 0); // it was done before it could be stopped
}

TEST_CASE("a program that did not end well is never 0, whatever its nodes say")
{
    auto changes = failed_with(0);
    REQUIRE(sdctl::exit_code_of(changes, false) == 1);
    REQUIRE(sdctl::exit_code_of(failed_with(256), false) == 1); // would be cut to 0
    REQUIRE(sdctl::exit_code_of(failed_with(0, 128), false) == 1);
    changes.failed = {{77}}; // there is no such rank
    REQUIRE(sdctl::exit_code_of(changes, false) == 1);
}

TEST_CASE("a rank is described with its node, its devices and how it ended")
{
    auto rank = failed_with(7).ranks[1];
    rank.devices = {"cuda:0", "cuda:1"};

    REQUIRE(sdctl::describe(rank) == "rank 1 on node-a (cuda:0, cuda:1) ended somehow");
}

TEST_CASE("output is shown as it comes and taken with the next question; the program's last words are taken, too")
{
    Script script;
    script.add(program_in(proto::ProgramState::running), "hello\n");
    script.add(program_in(proto::ProgramState::running));
    script.add(program_in(proto::ProgramState::done), "bye\n");
    script.add(program_in(proto::ProgramState::done));

    const auto ended = run(script);

    REQUIRE(ended.code == 0);
    REQUIRE(ended.text.out == "[0] hello\n[0] bye\n");
    REQUIRE(ended.text.err.empty());
    REQUIRE(script.watched.at(0).output_taken == 0);
    REQUIRE(script.watched.at(1).output_taken == 1);
    REQUIRE(script.watched.at(1).seen_change == 1);
    REQUIRE(script.watched.back().output_taken == 2);
}

TEST_CASE("people are told why the program waits, who failed first, and that it starts again")
{
    Script script;
    auto waiting = program_in(proto::ProgramState::waiting);
    waiting.waiting_for = "2 of its devices finish an item first";
    waiting.ranks.clear();
    script.add(waiting);
    script.add(waiting); // said once
    auto stopping = failed_with(7);
    stopping.state = proto::ProgramState::stopping;
    script.add(stopping);
    auto again = program_in(proto::ProgramState::running);
    again.epoch = {2};
    script.add(again);
    auto failed = failed_with(0, 9);
    failed.epoch = {2};
    script.add(failed);

    const auto ended = run(script);

    REQUIRE(ended.code == 137);
    REQUIRE(ended.text.err == "waiting: 2 of its devices finish an item first\n"
                              "rank 1 on node-a (cpu) ended somehow; stopping the others\n"
                              "starting all ranks again, restart 1 of 3\n"
                              "rank 1 on node-a (cpu) ended somehow; stopping the others\n");
}

TEST_CASE("with --json each change is one line, and nothing goes to stderr")
{
    Script script;
    script.add(program_in(proto::ProgramState::running));
    script.add(program_in(proto::ProgramState::running));
    script.add(failed_with(7));

    const auto ended = run(script, true, sdctl::ProgramLogs(sdctl::LogStyle::json));

    REQUIRE(ended.code == 7);
    REQUIRE(ended.text.err.empty());
    REQUIRE(std::ranges::count(ended.text.out, '\n') == 2);
    REQUIRE(ended.text.out.find("\"state\":\"running\"") != std::string::npos);
    REQUIRE(ended.text.out.find("\"state\":\"failed\"") != std::string::npos);
}

TEST_CASE("a refusal is an error with the coordinator's words")
{
    Script script;
    script.refusal = {proto::RequestError::not_allowed, "this client may not run programs", 0};

    const auto ended = run(script);

    REQUIRE_FALSE(ended.code);
    REQUIRE(ended.code.error().message.find("this client may not run programs") != std::string::npos);
}

TEST_CASE("when the logs cannot be written the program is stopped, and that is the error")
{
    const sdfleet::tests::ScratchFolder folder;
    std::filesystem::create_directories(folder.path() / "rank-0.log"); // in the file's place
    sdctl::ProgramLogs logs(sdctl::LogStyle::prefixed);
    REQUIRE(logs.gather_in(folder.path()));
    Script script;
    script.add(program_in(proto::ProgramState::running), "hello\n");
    script.add(program_in(proto::ProgramState::stopped));

    const auto ended = run(script, false, std::move(logs));

    REQUIRE_FALSE(ended.code);
    REQUIRE(ended.code.error().message.find("rank-0.log") != std::string::npos);
    REQUIRE(script.stopped.size() == 1);
}
