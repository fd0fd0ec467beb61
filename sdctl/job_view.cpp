// SPDX-License-Identifier: Apache-2.0
#include "sdctl/job_view.hpp"

#include "sdctl/enum_text.hpp"
#include "sdctl/text_table.hpp"

#include <ctime>

namespace sdfleet::sdctl {

namespace {

constexpr std::size_t prompt_width = 60;

std::string utc_text(std::uint64_t unix_ms)
{
    const auto seconds = static_cast<std::time_t>(unix_ms / 1000);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[32];
    return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts));
}

std::string progress_text(const ItemView& item)
{
    if (item.state != to_text(proto::ItemState::running) || item.steps == 0) {
        return item.state;
    }
    return item.state + " " + std::to_string(item.step) + "/" + std::to_string(item.steps);
}

} // namespace

JobView view_of(const proto::JobSummary& job)
{
    return {job.job_id.value,
            job.kind,
            job.model,
            to_text(job.state),
            job.total,
            job.queued,
            job.running,
            job.done,
            job.failed,
            job.cancelled,
            utc_text(job.created_unix_ms),
            job.waiting_for};
}

ItemView view_of(const proto::ItemReport& report)
{
    ItemView item;
    item.index = report.index.value;
    item.state = to_text(report.state);
    item.step = report.step;
    item.steps = report.steps;
    item.attempts = report.attempts;
    item.actor = report.node_id.value.empty() ? "" : to_string(proto::ActorId{report.node_id, report.slot});
    item.sha256 = report.sha256;
    item.elapsed_ms = report.elapsed_ms;
    item.error = report.error;
    return item;
}

ItemView view_of(const proto::ItemReport& report, const proto::ItemSpec& spec)
{
    auto item = view_of(report);
    item.prompt = spec.prompt;
    item.seed = spec.seed;
    return item;
}

Json to_json(const JobView& job)
{
    return {{"job", job.job},         {"kind", job.kind},
            {"model", job.model},     {"state", job.state},
            {"total", job.total},     {"queued", job.queued},
            {"running", job.running}, {"done", job.done},
            {"failed", job.failed},   {"cancelled", job.cancelled},
            {"created", job.created}, {"waiting_for", job.waiting_for}};
}

Json to_json(const ItemView& item)
{
    Json json{{"index", item.index}};
    if (!item.prompt.empty()) {
        json["prompt"] = item.prompt;
        json["seed"] = item.seed;
    }
    json["state"] = item.state;
    json["step"] = item.step;
    json["steps"] = item.steps;
    json["attempts"] = item.attempts;
    json["actor"] = item.actor;
    json["sha256"] = item.sha256;
    json["ms"] = item.elapsed_ms;
    json["error"] = item.error;
    return json;
}

std::string jobs_text(const std::vector<JobView>& jobs)
{
    TextTable table({"JOB", "STATE", "DONE", "FAILED", "TOTAL", "MODEL", "CREATED", "WAITING FOR"});
    for (const auto& job : jobs) {
        table.add({job.job, job.state, std::to_string(job.done), std::to_string(job.failed), std::to_string(job.total),
                   job.model.empty() ? job.kind : job.model, job.created, job.waiting_for});
    }
    return table.to_text();
}

std::string items_text(const std::vector<ItemView>& items)
{
    TextTable table({"INDEX", "STATE", "TRIES", "ACTOR", "MS", "SEED", "PROMPT", "ERROR"});
    for (const auto& item : items) {
        table.add({std::to_string(item.index), progress_text(item), std::to_string(item.attempts), item.actor,
                   item.elapsed_ms == 0 ? "" : std::to_string(item.elapsed_ms), std::to_string(item.seed),
                   fit(item.prompt, prompt_width), item.error});
    }
    return table.to_text();
}

std::string job_line(const JobView& job)
{
    std::string line = "job " + job.job + ": " + job.state + ", " + std::to_string(job.done) + " of " +
                       std::to_string(job.total) + " done";
    if (job.failed > 0) {
        line += ", " + std::to_string(job.failed) + " failed";
    }
    if (job.cancelled > 0) {
        line += ", " + std::to_string(job.cancelled) + " cancelled";
    }
    if (!job.waiting_for.empty()) {
        line += "; waiting: " + job.waiting_for;
    }
    return line;
}

} // namespace sdfleet::sdctl
