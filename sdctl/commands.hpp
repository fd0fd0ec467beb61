// SPDX-License-Identifier: Apache-2.0
// Every command of sdctl. Each is in the file of its name.
#pragma once

#include "sdctl/program.hpp"

namespace sdfleet::sdctl {

void add_run_command(CLI::App& app, Program& program);
void add_submit_command(CLI::App& app, Program& program);
void add_watch_command(CLI::App& app, Program& program);
void add_fetch_command(CLI::App& app, Program& program);
void add_jobs_command(CLI::App& app, Program& program);
void add_job_command(CLI::App& app, Program& program);
void add_cancel_command(CLI::App& app, Program& program);
void add_nodes_command(CLI::App& app, Program& program);
void add_node_command(CLI::App& app, Program& program);
void add_top_command(CLI::App& app, Program& program);
void add_models_command(CLI::App& app, Program& program);
void add_launch_command(CLI::App& app, Program& program);
void add_keys_command(CLI::App& app, Program& program);
void add_bench_command(CLI::App& app, Program& program);

} // namespace sdfleet::sdctl
