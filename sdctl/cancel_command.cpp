// SPDX-License-Identifier: Apache-2.0
#include "sdctl/commands.hpp"
#include "sdctl/job_view.hpp"

#include <memory>

namespace sdfleet::sdctl {

namespace {

base::Result<base::ExitCode> cancel(const Program& program, const std::string& job_id)
{
    auto client = connect(program);
    if (!client) {
        return tl::unexpected(std::move(client.error()));
    }
    const auto cancelled = client->cancel({job_id});
    if (!cancelled) {
        return tl::unexpected(cancelled.error());
    }
    const auto job = view_of(cancelled->job);
    if (program.json) {
        print_document(to_json(job));
    } else {
        print_text(job_line(job) + "\n");
    }
    return base::ExitCode::ok;
}

} // namespace

void add_cancel_command(CLI::App& app, Program& program)
{
    auto job_id = std::make_shared<std::string>();
    auto* command = add_command(
        app, program,
        {"cancel", "Stop a job; pictures already drawn stay and can be fetched", "  sdctl cancel k3v9x0a1b2c3\n"},
        [job_id, &program] { return cancel(program, *job_id); });
    command->add_option("job", *job_id, "Id of the job")->required()->type_name("JOB");
}

} // namespace sdfleet::sdctl
