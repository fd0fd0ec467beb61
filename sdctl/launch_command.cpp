// SPDX-License-Identifier: Apache-2.0
#include "sdctl/commands.hpp"
#include "sdctl/interrupt.hpp"
#include "sdctl/job_options.hpp"
#include "sdctl/local_fleet.hpp"
#include "sdctl/output.hpp"
#include "sdctl/program_run.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <spdlog/spdlog.h>
#include <unistd.h>

namespace sdfleet::sdctl {

namespace {

struct LaunchOptions {
    proto::ProgramSpec spec;
    std::vector<std::string> environment; ///< NAME=VALUE
    std::string program_id;
    std::optional<std::string> log_folder; ///< of --gather-logs; empty = named after the program
    bool has_no_prefix = false;
    double stop_grace_s = 5;
    int local = 0;
    std::uint32_t ranks = 0;
};

base::Result<proto::LaunchProgram> make_request(const Program& program, const LaunchOptions& options)
{
    if (program.command.empty()) {
        return base::fail(base::ExitCode::usage, "say what to run, behind --: sdctl launch -n 2 -- CMD...");
    }
    proto::LaunchProgram launch{{options.program_id.empty() ? make_job_id() : options.program_id}, options.spec};
    launch.spec.command = program.command;
    launch.spec.ranks = options.local > 0 ? static_cast<std::uint32_t>(options.local) : options.ranks;
    constexpr double ms_per_s = 1000;
    launch.spec.stop_grace_ms = static_cast<std::uint32_t>(options.stop_grace_s * ms_per_s);
    for (const auto& text : options.environment) {
        const auto equals = text.find('=');
        if (equals == std::string::npos) {
            return base::fail(base::ExitCode::usage, "--env " + text + ": give NAME=VALUE");
        }
        launch.spec.environment.push_back({text.substr(0, equals), text.substr(equals + 1)});
    }
    if (const auto fault = proto::find_fault(launch.spec)) {
        return base::fail(base::ExitCode::usage, *fault);
    }
    return launch;
}

LogStyle style_of(const Program& program, const LaunchOptions& options)
{
    if (program.json) {
        return LogStyle::json;
    }
    if (options.has_no_prefix) {
        return LogStyle::plain;
    }
    return ::isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr ? LogStyle::coloured : LogStyle::prefixed;
}

base::Result<base::ExitCode> launch(const Program& program, const LaunchOptions& options)
{
    if ((options.ranks == 0) == (options.local == 0)) {
        return base::fail(base::ExitCode::usage,
                          "say how many ranks: -n N on the fleet, or --local N on this machine alone");
    }
    auto request = make_request(program, options);
    if (!request) {
        return tl::unexpected(std::move(request.error()));
    }
    ProgramLogs logs(style_of(program, options));
    if (options.log_folder) {
        const auto folder = options.log_folder->empty() ? request->program_id.value + "-logs" : *options.log_folder;
        if (auto made = logs.gather_in(folder); !made) {
            return tl::unexpected(std::move(made.error()));
        }
        if (!program.json) {
            narrate("each rank's output also goes to " + folder + "/rank-N.log");
        }
    }
    std::optional<LocalFleet> fleet;
    if (options.local > 0) {
        LocalFleetOptions local;
        local.actors = options.local * static_cast<int>(request->spec.devices_per_rank);
        local.shows_logs = spdlog::get_level() <= spdlog::level::debug;
        local.is_for_programs = true;
        auto started = LocalFleet::start(local);
        if (!started) {
            return tl::unexpected(std::move(started.error()));
        }
        fleet.emplace(std::move(*started));
    }
    auto client = fleet ? fleet->connect() : connect(program);
    if (!client) {
        return tl::unexpected(std::move(client.error()));
    }
    if (fleet) {
        if (auto joined = fleet->wait_until_joined(*client); !joined) {
            return tl::unexpected(std::move(joined.error()));
        }
    }
    const auto code = run_program(*client, *request, logs, program.json);
    if (!code) {
        return tl::unexpected(code.error());
    }
    return static_cast<base::ExitCode>(*code);
}

} // namespace

void add_launch_command(CLI::App& app, Program& program)
{
    const auto options = std::make_shared<LaunchOptions>();
    auto* command = add_command(
        app, program,
        {"launch",
         "Run any command as N ranks on the fleet's devices, with torchrun's environment: sdctl launch -n N [OPTIONS] "
         "-- CMD...",
         "  sdctl launch -n 2 -- python3 examples/run_distributed.py\n"
         "  sdctl launch -n 8 --nodes 2 --env NCCL_DEBUG=INFO -- ./my_program --steps 20\n"
         "  sdctl launch --local 4 -- ./my_program\n"
         "Each rank finds RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT in its\n"
         "environment; CMD is looked for in the nodes' PATH. All ranks start together or none does. The command's exit "
         "code is that of the first\n"
         "rank that failed, the others are stopped; Ctrl-C stops all of them."},
        [options, &program] { return launch(program, *options); });
    auto& o = *options;
    command->add_option("-n,--ranks", o.ranks, "Number of ranks")->check(CLI::Range(1U, proto::max_ranks));
    command->add_option("--nodes", o.spec.nodes, "Spread them over exactly so many nodes (default: as few as possible)")
        ->check(CLI::Range(1U, proto::max_ranks));
    command->add_option("--devices-per-rank", o.spec.devices_per_rank, "Devices that each rank gets, on one node")
        ->check(CLI::Range(1U, proto::max_ranks))
        ->capture_default_str();
    command->add_option("--env", o.environment, "NAME=VALUE for the ranks' environment; may be repeated")
        ->type_name("NAME=VALUE")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command
        ->add_option("--chdir", o.spec.working_dir, "The ranks' working directory on the nodes (default: the agent's)")
        ->type_name("DIR");
    command
        ->add_option("--max-restarts", o.spec.max_restarts, "Start all ranks again, so often, when one of them failed")
        ->capture_default_str();
    command->add_option("--stop-grace", o.stop_grace_s, "Seconds between SIGTERM and SIGKILL when ranks are stopped")
        ->check(CLI::Range(0.0, 600.0))
        ->capture_default_str();
    command
        ->add_option("--gather-logs", o.log_folder,
                     "Also write each rank's output to DIR/rank-N.log (default PROGRAM-logs)")
        ->expected(0, 1)
        ->type_name("[DIR]");
    command->add_flag("--no-prefix", o.has_no_prefix, "Show what the ranks write as it is, without '[RANK] '");
    command->add_option("--local", o.local, "On this machine alone, without a coordinator: so many ranks")
        ->check(CLI::Range(1U, proto::max_ranks));
    command->add_option("--program-id", o.program_id,
                        "Name of the program in the coordinator's log (default: made up)");
}

} // namespace sdfleet::sdctl
