// SPDX-License-Identifier: Apache-2.0
#include "proto/batch_key.hpp"
#include "sdctl/commands.hpp"
#include "sdctl/job_options.hpp"
#include "sdctl/picture_run.hpp"

#include <memory>

namespace sdfleet::sdctl {

void add_run_command(CLI::App& app, Program& program)
{
    struct Options {
        JobOptions job;
        RunOptions run;
    };
    auto options = std::make_shared<Options>();
    auto* command =
        add_command(app, program,
                    {"run", "Draw pictures and bring them into a folder; run again, it draws what is missing",
                     "  sdctl run prompts.txt --out pictures --steps 20\n"
                     "  sdctl run --prompt \"a red circle\" --prompt \"a blue square\" --out pictures\n"
                     "  sdctl run prompts.txt --out pictures --local 2     # no daemon needed\n"
                     "  sdctl run prompts.txt --out pictures --local 2 --devices cuda:0,1\n"
                     "  sdctl run prompts.txt --out pictures --split contiguous\n"},
                    [options, &program]() -> base::Result<base::ExitCode> {
                        options->run.coordinator = program.coordinator;
                        options->run.key_file = program.key_file;
                        options->run.json = program.json;
                        const bool is_local = options->run.local_actors > 0;
                        auto spec =
                            make_job_spec(options->job, is_local ? ModelMeans::name_or_folder : ModelMeans::name);
                        if (!spec) {
                            return tl::unexpected(std::move(spec.error()));
                        }
                        return draw_pictures(std::move(*spec), options->run);
                    });
    add_job_options(*command, options->job);
    command
        ->add_option("--out", options->run.folder,
                     "Folder for pictures, manifest.jsonl and grid.png; made when missing")
        ->required();
    auto* local =
        command
            ->add_option("--local", options->run.local_actors,
                         "Start a fleet of so many actors on this machine for this run; --model may be a folder")
            ->check(CLI::Range(1, 256));
    command
        ->add_option(
            "--devices", options->run.local_devices,
            "With --local: what the actors draw on, as agent --devices: auto, cuda, cuda:0,1, ... (default: the "
            "processor); name as many as --local says")
        ->needs(local);
    command
        ->add_option("--max-batch", options->run.local_max_batch,
                     "With --local: pictures that each actor in fast mode draws at once")
        ->check(CLI::Range(1U, proto::max_batch_limit))
        ->needs(local);
    command->add_option("--job-id", options->run.job_id, "Name of the job (default: made up)");
}

} // namespace sdfleet::sdctl
