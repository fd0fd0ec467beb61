// SPDX-License-Identifier: Apache-2.0
#include "sdctl/commands.hpp"
#include "sdctl/follow.hpp"
#include "sdctl/job_progress.hpp"
#include "sdctl/job_view.hpp"
#include "sdctl/progress_display.hpp"

#include <memory>
#include <optional>

namespace sdfleet::sdctl {

namespace {

using namespace std::chrono_literals;

/// One line for each item that changed, and one for the job when something about it did.
class ChangePrinter {
public:
    void print(const proto::JobChanges& changes)
    {
        for (const auto& item : changes.items) {
            Json line{{"event", "item"}, {"job", changes.job.job_id.value}};
            line.update(to_json(view_of(item)));
            print_json_line(line);
        }
        if (last_job_ != changes.job) {
            Json line{{"event", "job"}};
            line.update(to_json(view_of(changes.job)));
            print_json_line(line);
            last_job_ = changes.job;
        }
    }

private:
    std::optional<proto::JobSummary> last_job_;
};

/// A live display on a terminal; elsewhere a line whenever the job's counts change.
class TextProgress {
public:
    explicit TextProgress(const proto::JobDetail& job) : progress_(job.job.total, 0, steps_of(job)) {}

    void show(const proto::JobChanges& changes)
    {
        progress_.apply(changes, now_for_display());
        display_.show(progress_.view());
        const auto line = job_line(view_of(changes.job));
        if (!display_.is_live() && line != last_line_) {
            display_.keep_line(line);
            last_line_ = line;
        }
    }

private:
    static std::uint32_t steps_of(const proto::JobDetail& job)
    {
        const auto* diffusion = std::get_if<proto::DiffusionParameters>(&job.parameters.kind);
        return diffusion == nullptr ? 1 : diffusion->num_inference_steps;
    }

    JobProgress progress_;
    ProgressDisplay display_;
    std::string last_line_;
};

base::Result<base::ExitCode> watch(const Program& program, const std::string& job_id)
{
    auto client = connect(program);
    if (!client) {
        return tl::unexpected(std::move(client.error()));
    }
    const auto detail = client->get_job({{job_id}, 0, 0});
    if (!detail) {
        return tl::unexpected(detail.error());
    }
    ChangePrinter printer;
    std::optional<TextProgress> text;
    if (!program.json) {
        text.emplace(*detail);
    }
    const auto ended =
        follow_job(*client, {job_id}, 500ms, [&](const proto::JobChanges& changes) -> base::Result<void> {
            if (text) {
                text->show(changes);
            } else {
                printer.print(changes);
            }
            return {};
        });
    text.reset(); // clears the display before the result
    if (!ended) {
        return tl::unexpected(ended.error());
    }
    if (!program.json) {
        print_text(job_line(view_of(*ended)) + "\n");
    }
    return exit_code_of(ended->state);
}

} // namespace

void add_watch_command(CLI::App& app, Program& program)
{
    auto job_id = std::make_shared<std::string>();
    auto* command = add_command(app, program,
                                {"watch", "Follow a job until it is over; leaving does not stop the job",
                                 "  sdctl watch k3v9x0a1b2c3\n"
                                 "  sdctl watch k3v9x0a1b2c3 --json | jq 'select(.event == \"item\")'\n"},
                                [job_id, &program] { return watch(program, *job_id); });
    command->add_option("job", *job_id, "Id of the job")->required()->type_name("JOB");
}

} // namespace sdfleet::sdctl
