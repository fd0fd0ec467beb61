// SPDX-License-Identifier: Apache-2.0
#include "sdctl/application.hpp"

#include "base/program_options.hpp"
#include "sdctl/commands.hpp"
#include "sdctl/interrupt.hpp"

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

namespace sdfleet::sdctl {

namespace {

/// Takes "-- COMMAND..." off the end of "sdctl launch ... -- COMMAND...": the parser would look for options of ours in it.
int split_off_command(int argc, const char* const* argv, std::vector<std::string>& command)
{
    const std::vector<std::string> words(argv, argv + argc);
    const auto dashes = std::ranges::find(words, "--");
    if (std::find(words.begin(), dashes, "launch") == dashes || dashes == words.end()) {
        return argc;
    }
    command.assign(std::next(dashes), words.end());
    return static_cast<int>(dashes - words.begin());
}

} // namespace

int run_application(int argc, const char* const* argv)
{
    CLI::App app("Draws pictures on a fleet of machines, and looks after it.");
    Program program;
    base::add_common_options(app, "sdctl");
    app.add_option("--coordinator", program.coordinator, "Where the coordinator listens")
        ->envname("SDFLEET_COORDINATOR")
        ->capture_default_str();
    app.add_option("--key-file", program.key_file, "Your key (sdctl keys issue), for a coordinator on another machine")
        ->envname("SDFLEET_KEY_FILE");
    app.add_flag("--json", program.json, "One JSON document on stdout in place of text (watch: one a line)");
    app.require_subcommand(1);
    app.footer("Exit codes: 0 ok, 1 failed, 2 usage, 3 coordinator unreachable, 4 job failed or cancelled,\n"
               "5 bad model or input file, 130 interrupted. 'sdctl COMMAND --help' has examples.");

    add_run_command(app, program);
    add_submit_command(app, program);
    add_watch_command(app, program);
    add_fetch_command(app, program);
    add_jobs_command(app, program);
    add_job_command(app, program);
    add_cancel_command(app, program);
    add_nodes_command(app, program);
    add_node_command(app, program);
    add_top_command(app, program);
    add_models_command(app, program);
    add_launch_command(app, program);
    add_keys_command(app, program);
    add_bench_command(app, program);

    argc = split_off_command(argc, argv, program.command);
    catch_interrupts();
    return base::parse_and_run(app, argc, argv, [&program] { return program.chosen(); });
}

} // namespace sdfleet::sdctl
