// SPDX-License-Identifier: Apache-2.0
#include "sdctl/commands.hpp"
#include "sdctl/enum_text.hpp"
#include "sdctl/job_detail.hpp"
#include "sdctl/job_view.hpp"

#include <memory>

namespace sdfleet::sdctl {

namespace {

base::Result<base::ExitCode> show_job(const Program& program, const std::string& job_id)
{
    auto client = connect(program);
    if (!client) {
        return tl::unexpected(std::move(client.error()));
    }
    const auto detail = get_whole_job(*client, {job_id});
    if (!detail) {
        return tl::unexpected(detail.error());
    }
    std::vector<ItemView> items;
    for (std::size_t i = 0; i < detail->reports.size(); ++i) {
        items.push_back(view_of(detail->reports[i], detail->specs[i]));
    }
    const auto job = view_of(detail->job);
    if (!program.json) {
        print_text(job_line(job) + "\n" + items_text(items));
        return base::ExitCode::ok;
    }
    auto document = to_json(job);
    document["split"] = to_text(detail->split);
    document["items"] = Json::array();
    for (const auto& item : items) {
        document["items"].push_back(to_json(item));
    }
    print_document(document);
    return base::ExitCode::ok;
}

} // namespace

void add_job_command(CLI::App& app, Program& program)
{
    auto job_id = std::make_shared<std::string>();
    auto* command =
        add_command(app, program,
                    {"job", "Show a job and each of its pictures: where it is drawn, why it waits or failed",
                     "  sdctl job k3v9x0a1b2c3\n"
                     "  sdctl job k3v9x0a1b2c3 --json | jq '.items[] | select(.state == \"failed\")'\n"},
                    [job_id, &program] { return show_job(program, *job_id); });
    command->add_option("job", *job_id, "Id of the job")->required()->type_name("JOB");
}

} // namespace sdfleet::sdctl
