// SPDX-License-Identifier: Apache-2.0
#include "sdctl/commands.hpp"
#include "sdctl/job_view.hpp"

#include <memory>

namespace sdfleet::sdctl {

namespace {

base::Result<base::ExitCode> list_jobs(const Program& program, std::uint32_t max_jobs)
{
    auto client = connect(program);
    if (!client) {
        return tl::unexpected(std::move(client.error()));
    }
    const auto list = client->list_jobs({max_jobs});
    if (!list) {
        return tl::unexpected(list.error());
    }
    std::vector<JobView> jobs;
    for (const auto& job : list->jobs) {
        jobs.push_back(view_of(job));
    }
    if (program.json) {
        Json document{{"total", list->total}, {"jobs", Json::array()}};
        for (const auto& job : jobs) {
            document["jobs"].push_back(to_json(job));
        }
        print_document(document);
        return base::ExitCode::ok;
    }
    print_text(jobs_text(jobs));
    if (jobs.size() < list->total) {
        narrate("the newest " + std::to_string(jobs.size()) + " of " + std::to_string(list->total) + "; see --limit");
    }
    return base::ExitCode::ok;
}

} // namespace

void add_jobs_command(CLI::App& app, Program& program)
{
    auto limit = std::make_shared<std::uint32_t>(proto::ListJobs{}.max_jobs);
    auto* command = add_command(app, program,
                                {"jobs", "List the jobs that the coordinator knows, newest first",
                                 "  sdctl jobs\n"
                                 "  sdctl jobs --limit 1000 --json\n"},
                                [limit, &program] { return list_jobs(program, *limit); });
    command->add_option("--limit", *limit, "At most so many")->check(CLI::Range(1, 1000))->capture_default_str();
}

} // namespace sdfleet::sdctl
