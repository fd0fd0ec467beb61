// SPDX-License-Identifier: Apache-2.0
#include "sdctl/program_run.hpp"

#include "sdctl/interrupt.hpp"
#include "sdctl/output.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

namespace sdfleet::sdctl {

namespace {

constexpr std::uint32_t signal_offset = 128;
constexpr std::uint32_t largest_exit_code = 255; ///< more would be cut, perhaps to 0
constexpr std::uint32_t poll_ms = 2'000;

bool is_over(proto::ProgramState state)
{
    return state == proto::ProgramState::done || state == proto::ProgramState::failed ||
           state == proto::ProgramState::stopped;
}

const char* name_of(proto::ProgramState state)
{
    switch (state) {
    case proto::ProgramState::waiting:
        return "waiting";
    case proto::ProgramState::running:
        return "running";
    case proto::ProgramState::stopping:
        return "stopping";
    case proto::ProgramState::done:
        return "done";
    case proto::ProgramState::failed:
        return "failed";
    case proto::ProgramState::stopped:
        return "stopped";
    }
    return "";
}

Json to_json(const proto::ProgramChanges& program)
{
    Json ranks = Json::array();
    for (const auto& rank : program.ranks) {
        Json entry{{"rank", rank.rank.value}, {"node", rank.node_id.value}, {"devices", rank.devices}};
        if (rank.state == proto::RankState::ended) {
            entry["exit_code"] = rank.exit.code;
            entry["signal"] = rank.exit.signal;
            entry["detail"] = rank.exit.detail;
        }
        ranks.push_back(std::move(entry));
    }
    return {{"event", "program"},           {"program", program.program_id.value}, {"state", name_of(program.state)},
            {"epoch", program.epoch.value}, {"waiting_for", program.waiting_for},  {"detail", program.detail},
            {"ranks", std::move(ranks)}};
}

/// Tells what a person would want to know about a program besides its output.
class Narrator {
public:
    Narrator(bool is_json, std::uint32_t max_restarts) : is_json_(is_json), max_restarts_(max_restarts) {}

    void tell(const proto::ProgramChanges& program)
    {
        if (is_json_) {
            auto line = to_json(program);
            if (line != last_) {
                print_json_line(line);
                last_ = std::move(line);
            }
            return;
        }
        if (program.state == proto::ProgramState::waiting && program.waiting_for != waiting_for_ &&
            !program.waiting_for.empty()) {
            narrate("waiting: " + program.waiting_for);
        }
        waiting_for_ = program.waiting_for;
        if (program.epoch != epoch_) {
            told_.clear();
            if (epoch_.value > 0) {
                narrate("starting all ranks again, restart " + std::to_string(program.epoch.value - 1) + " of " +
                        std::to_string(max_restarts_));
            }
            epoch_ = program.epoch;
        }
        for (const auto failed : program.failed) {
            if (failed.value < program.ranks.size() && told_.insert(failed.value).second) {
                narrate(describe(program.ranks[failed.value]) +
                        (told_.size() == 1 && program.ranks.size() > 1 ? "; stopping the others" : ""));
            }
        }
    }

private:
    bool is_json_;
    std::uint32_t max_restarts_;
    Json last_;
    std::string waiting_for_;
    proto::Epoch epoch_;
    std::set<std::uint32_t> told_; ///< failed ranks of this epoch
};

base::Result<void> show(const client::Client::ProgramNews& news, ProgramLogs& logs)
{
    std::string_view rest(reinterpret_cast<const char*>(news.output.bytes.data()), news.output.bytes.size());
    for (const auto& chunk : news.changes.output) {
        if (auto written = logs.write(chunk, rest.substr(0, chunk.bytes)); !written) {
            return written;
        }
        rest.remove_prefix(chunk.bytes);
    }
    return {};
}

} // namespace

std::string describe(const proto::RankReport& rank)
{
    std::string devices;
    for (const auto& device : rank.devices) {
        devices += (devices.empty() ? "" : ", ") + device;
    }
    return "rank " + std::to_string(rank.rank.value) + " on " + rank.node_id.value + " (" + devices + ") " +
           rank.exit.detail;
}

int exit_code_of(const proto::ProgramChanges& program, bool was_interrupted)
{
    if (program.state == proto::ProgramState::done) {
        return 0;
    }
    if (was_interrupted) {
        return base::to_int(base::ExitCode::interrupted);
    }
    if (program.failed.empty() || program.failed.front().value >= program.ranks.size()) {
        return base::to_int(base::ExitCode::failed);
    }
    const auto& exit = program.ranks[program.failed.front().value].exit;
    const auto code = exit.signal != 0 ? signal_offset + exit.signal : exit.code;
    return code > 0 && code <= largest_exit_code ? static_cast<int>(code) : base::to_int(base::ExitCode::failed);
}

base::Result<int> run_program(client::Client& client, const proto::LaunchProgram& launch, ProgramLogs& logs,
                              bool is_json)
{
    if (const auto launched = client.launch(launch); !launched) {
        return tl::unexpected(launched.error());
    }
    Narrator narrator(is_json, launch.spec.max_restarts);
    proto::WatchProgram watch{launch.program_id, 0, 0, poll_ms};
    int interrupts = 0;
    base::Result<void> fault;
    for (;;) {
        auto news = client.watch_program(watch);
        if (!news && news.error().code == base::ExitCode::interrupted && is_interrupted()) {
            acknowledge_interrupt();
            ++interrupts;
            if (!is_json) {
                narrate(interrupts == 1 ? "stopping all ranks; once more to kill them" : "killing all ranks");
            }
            if (const auto stopped = client.stop_program({launch.program_id, interrupts > 1});
                !stopped && stopped.error().code != base::ExitCode::interrupted) {
                return tl::unexpected(stopped.error());
            }
            continue;
        }
        if (!news) {
            return tl::unexpected(std::move(news.error()));
        }
        if (auto shown = show(*news, logs); !shown && fault) {
            fault = shown;
            (void)client.stop_program({launch.program_id, false});
        }
        narrator.tell(news->changes);
        watch.output_taken = news->changes.last_output;
        watch.seen_change = news->changes.last_change;
        if (is_over(news->changes.state) && news->changes.output.empty()) {
            logs.flush();
            (void)client.watch_program({launch.program_id, watch.output_taken, watch.seen_change - 1, 0});
            if (!fault) {
                return tl::unexpected(std::move(fault.error()));
            }
            return exit_code_of(news->changes, interrupts > 0);
        }
        if (is_over(news->changes.state)) {
            watch.wait_ms = 0; // whether more is on its way
        }
    }
}

} // namespace sdfleet::sdctl
