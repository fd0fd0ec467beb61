// SPDX-License-Identifier: Apache-2.0
#include "base/sha256.hpp"
#include "sdctl/commands.hpp"
#include "sdctl/enum_text.hpp"
#include "sdctl/follow.hpp"
#include "sdctl/job_detail.hpp"
#include "sdctl/job_view.hpp"
#include "sdctl/picture_collector.hpp"
#include "sdctl/resume_plan.hpp"
#include "sdctl/run_report.hpp"

#include <memory>
#include <numeric>
#include <utility>

namespace sdfleet::sdctl {

namespace {

/// Pictures of this job that the folder has already. A folder with pictures of another job is not touched: they would be
/// overwritten where index and seed are equal.
base::Result<ResumePlan> plan_fetch(const Manifest& manifest, const proto::JobSpec& spec, const std::string& job_id,
                                    const std::filesystem::path& folder)
{
    for (const auto& [index, entry] : manifest.entries()) {
        if (entry.job != job_id && (index >= spec.items.size() || !is_same_picture(entry, spec, index, ""))) {
            return base::fail(base::ExitCode::usage, folder.string() + " holds pictures of another job, " + entry.job +
                                                         "; choose another folder with --out");
        }
    }
    return plan_resume(spec, "", manifest.entries(), [&folder](const std::string& file) {
        const auto hash = base::sha256_hex_of_file(folder / file);
        return hash ? std::optional(*hash) : std::nullopt;
    });
}

void tell_what_is_missing(const proto::JobSummary& job)
{
    if (const auto missing = job.queued + job.running; missing > 0) {
        narrate(std::to_string(missing) + " of " + std::to_string(job.total) + " are not drawn yet; fetch again later");
    }
}

base::Result<base::ExitCode> fetch(const Program& program, const std::string& job_id,
                                   const std::filesystem::path& folder)
{
    auto client = connect(program);
    if (!client) {
        return tl::unexpected(std::move(client.error()));
    }
    auto job = get_whole_job(*client, {job_id});
    if (!job) {
        return tl::unexpected(std::move(job.error()));
    }
    const proto::JobSpec spec{job->job.model, job->split, job->parameters, std::move(job->specs)};
    auto manifest = Manifest::load(folder);
    if (!manifest) {
        return tl::unexpected(std::move(manifest.error()));
    }
    const auto plan = plan_fetch(*manifest, spec, job_id, folder);
    if (!plan) {
        return tl::unexpected(plan.error());
    }
    manifest->replace_all(plan->kept);
    std::vector<std::uint32_t> every_index(spec.items.size());
    std::iota(every_index.begin(), every_index.end(), 0U);
    PictureCollector collector(folder, std::move(*manifest), {job_id, spec, "", std::move(every_index)});
    if (auto prepared = collector.prepare(); !prepared) {
        return tl::unexpected(std::move(prepared.error()));
    }
    for (const auto index : plan->missing) {
        if (const auto taken = collector.take(*client, job->reports[index]); !taken) {
            return tl::unexpected(taken.error());
        }
    }
    if (auto finished = collector.finish(); !finished) {
        return tl::unexpected(std::move(finished.error()));
    }
    tell_what_is_missing(job->job);
    print(RunReport{job_id, to_text(job->job.state), folder, spec.items.size(), plan->kept.size(),
                    collector.manifest().entries()},
          program.json);
    return exit_code_of(job->job.state);
}

} // namespace

void add_fetch_command(CLI::App& app, Program& program)
{
    struct Options {
        std::string job_id;
        std::filesystem::path folder;
    };
    auto options = std::make_shared<Options>();
    auto* command = add_command(app, program,
                                {"fetch", "Bring the pictures of a job that are done into a folder",
                                 "  sdctl fetch k3v9x0a1b2c3 --out pictures\n"
                                 "  sdctl watch k3v9x0a1b2c3 && sdctl fetch k3v9x0a1b2c3 --out pictures\n"},
                                [options, &program] { return fetch(program, options->job_id, options->folder); });
    command->add_option("job", options->job_id, "Id of the job")->required()->type_name("JOB");
    command->add_option("--out", options->folder, "Folder for pictures, manifest.jsonl and grid.png; made when missing")
        ->required();
}

} // namespace sdfleet::sdctl
