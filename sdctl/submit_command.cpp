// SPDX-License-Identifier: Apache-2.0
#include "sdctl/commands.hpp"
#include "sdctl/job_options.hpp"
#include "sdctl/job_view.hpp"
#include "sdctl/model_choice.hpp"

#include <memory>
#include <utility>

namespace sdfleet::sdctl {

namespace {

base::Result<base::ExitCode> submit(const Program& program, JobOptions& options, const std::string& job_id)
{
    auto spec = make_job_spec(options);
    if (!spec) {
        return tl::unexpected(std::move(spec.error()));
    }
    auto client = connect(program);
    if (!client) {
        return tl::unexpected(std::move(client.error()));
    }
    if (spec->model.empty() && !options.echo_delay_ms) {
        const auto fleet = client->list_models({});
        auto choice = fleet ? choose_model("", *fleet) : tl::unexpected(fleet.error());
        if (!choice) {
            return tl::unexpected(std::move(choice.error()));
        }
        spec->model = std::move(choice->name);
    }
    const auto submitted = client->submit({{job_id.empty() ? make_job_id() : job_id}, std::move(*spec)});
    if (!submitted) {
        return tl::unexpected(submitted.error());
    }
    if (program.json) {
        print_document(to_json(view_of(submitted->job)));
    } else {
        print_text(submitted->job.job_id.value + "\n");
    }
    return base::ExitCode::ok;
}

} // namespace

void add_submit_command(CLI::App& app, Program& program)
{
    struct Options {
        JobOptions job;
        std::string job_id;
    };
    auto options = std::make_shared<Options>();
    auto* command = add_command(app, program,
                                {"submit", "Hand in a job and print its id; 'fetch' brings the pictures later",
                                 "  sdctl submit prompts.txt --steps 20\n"
                                 "  job=$(sdctl submit prompts.txt) && sdctl watch \"$job\"\n"
                                 "  sdctl submit prompts.txt --job-id monday     # may be repeated: one job\n"},
                                [options, &program] { return submit(program, options->job, options->job_id); });
    add_job_options(*command, options->job);
    command->add_option("--job-id", options->job_id,
                        "Name of the job, 1 to 64 letters, digits, . _ - (default: made up)");
}

} // namespace sdfleet::sdctl
