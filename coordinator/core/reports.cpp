// SPDX-License-Identifier: Apache-2.0
// The core's part that tells clients how things are.
#include "coordinator/core/core.hpp"

#include <algorithm>
#include <iterator>

namespace sdfleet::coordinator {

proto::JobSummary Core::summarize(const Job& job) const
{
    auto summary = job.summarize();
    summary.waiting_for = explain_waiting(job);
    return summary;
}

proto::ActorReport Core::report(const Node& node, const Actor& actor) const
{
    proto::ActorReport report;
    report.node_id = node.id;
    report.state = actor.state;
    report.in_flight = static_cast<std::uint32_t>(actor.in_flight.size());
    report.items_done = actor.items_done;
    if (actor.in_flight.empty()) {
        return report;
    }
    const Attempt& running = attempts_.at(actor.in_flight.front());
    report.job_id = running.item.job_id;
    report.index = running.item.index;
    if (const Job* job = jobs_.find(running.item.job_id); job != nullptr && running.stage == AttemptStage::running) {
        report.step = job->item(running.item.index.value).step;
        report.steps = job->item(running.item.index.value).steps;
    }
    return report;
}

proto::NodeReport Core::report(const Node& node) const
{
    proto::NodeReport report;
    report.node_id = node.id;
    report.incarnation = node.incarnation;
    report.state = node.state;
    report.hostname = node.hostname;
    report.software = node.software;
    report.silent_ms = static_cast<std::uint64_t>((now_ - node.last_heard).count);
    report.devices = node.devices;
    report.models = node.models;
    report.is_draining = node.is_draining;
    report.detail = node.detail;
    for (const auto& [slot, actor] : node.actors) {
        report.actors.push_back(this->report(node, actor));
    }
    return report;
}

void Core::on(const proto::GetJob& message, const From& from)
{
    const Job* job = jobs_.find(message.job_id);
    if (job == nullptr || !job->is_committed) {
        fail({from.packet.peer, from.packet.correlation}, proto::RequestError::unknown_job,
             "there is no job " + message.job_id.value);
        return;
    }
    proto::JobDetail detail;
    detail.job = summarize(*job);
    detail.split = job->spec().split;
    detail.parameters = job->spec().parameters;
    detail.first_index = message.first_index;
    const std::uint64_t end =
        std::uint64_t{message.first_index} + std::min(message.max_items, limits_.items_per_answer);
    for (std::uint64_t index = message.first_index; index < std::min<std::uint64_t>(end, job->size()); ++index) {
        detail.specs.push_back(job->spec().items[index]);
        detail.reports.push_back(job->report(static_cast<std::uint32_t>(index)));
    }
    send(from.packet.peer, std::move(detail), from.packet.correlation);
}

void Core::on(const proto::ListJobs& message, const From& from)
{
    const std::size_t count = std::min(message.max_jobs, limits_.jobs_per_answer);
    proto::JobList list;
    for (auto it = jobs_.by_number().rbegin(); it != jobs_.by_number().rend(); ++it) {
        const Job* job = it->second;
        if (!job->is_committed) {
            continue;
        }
        ++list.total;
        if (list.jobs.size() < count) {
            list.jobs.push_back(summarize(*job));
        }
    }
    send(from.packet.peer, std::move(list), from.packet.correlation);
}

void Core::on(const proto::ListNodes& message, const From& from)
{
    proto::NodeList list;
    for (const auto& [id, node] : fleet_.nodes()) {
        if (message.include_lost || node.state != proto::NodeState::lost) {
            list.nodes.push_back(report(node));
        }
    }
    send(from.packet.peer, std::move(list), from.packet.correlation);
}

void Core::on(const proto::ListModels& message, const From& from)
{
    send(from.packet.peer, proto::ModelList{fleet_.report_models(message.only_ready)}, from.packet.correlation);
}

} // namespace sdfleet::coordinator
