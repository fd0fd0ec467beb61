// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/client.hpp"

#include "tests/sim/picture.hpp"
#include "tests/sim/violation.hpp"

#include <algorithm>

namespace sdfleet::sim {

namespace {

constexpr Time answer_patience = 9'000; ///< longer than a WatchJob waits
constexpr std::uint32_t watch_ms = 4'000;

} // namespace

Client::Client(Environment& environment, CoordinatorHost& coordinator, Checker& checker, std::string name,
               const std::vector<JobPlan>& jobs)
    : environment_(environment), coordinator_(coordinator), checker_(checker), name_(std::move(name)),
      link_(environment, name_)
{
    for (const auto& plan : jobs) {
        jobs_.push_back({&plan, Stage::planned, 0, 0, false, {}});
        checker_.ledger.expect(plan.id, plan.spec);
    }
    coordinator_.on_start([this] { reconnect(); });
}

void Client::start()
{
    reconnect();
    for (auto& job : jobs_) {
        environment_.agenda.at(job.plan->submit_at, [this, &job] {
            job.stage = Stage::submitting;
            ask(job);
        });
    }
}

bool Client::is_done() const
{
    return std::ranges::all_of(jobs_, [](const Job& job) { return job.stage == Stage::over; });
}

std::string Client::describe_waiting() const
{
    std::string text;
    for (const auto& job : jobs_) {
        if (job.stage != Stage::over) {
            text += " " + job.plan->id.value + " (stage " + std::to_string(static_cast<int>(job.stage)) + ")";
        }
    }
    return text;
}

void Client::reconnect()
{
    coordinator_.disconnect(name_ + "." + std::to_string(connection_));
    ++connection_;
    coordinator_.connect(
        name_ + "." + std::to_string(connection_), [this, connection = connection_](const coordinator::Send& send) {
            link_.send(Direction::from_coordinator, proto::Channel::control, send.message, [this, connection, send] {
                if (connection == connection_) {
                    hear(send);
                }
            });
        });
    send(proto::ClientHello{}, 0);
}

void Client::send(const proto::Message& message, std::uint64_t correlation)
{
    const auto peer = name_ + "." + std::to_string(connection_);
    link_.send(Direction::to_coordinator, proto::Channel::control, message, [this, peer, message, correlation] {
        coordinator_.receive({{peer}, {}, correlation, message, {}, static_cast<std::uint64_t>(environment_.now())});
    });
}

proto::Message Client::request_of(const Job& job) const
{
    switch (job.stage) {
    case Stage::submitting:
        return proto::Submit{job.plan->id, job.plan->spec};
    case Stage::cancelling:
        return proto::CancelJob{job.plan->id};
    case Stage::fetching:
        return proto::FetchArtifact{job.to_fetch.back().sha256};
    case Stage::planned:
    case Stage::watching:
    case Stage::over:
        break;
    }
    return proto::WatchJob{job.plan->id, job.last_change, 4, watch_ms};
}

void Client::ask(Job& job)
{
    if (job.stage == Stage::over) {
        return;
    }
    if (job.wants_cancel && job.stage == Stage::watching) {
        job.stage = Stage::cancelling;
    }
    job.correlation = ++last_correlation_;
    send(request_of(job), job.correlation);
    environment_.agenda.in(answer_patience, [this, &job, correlation = job.correlation] {
        if (job.correlation == correlation && job.stage != Stage::over) {
            send(proto::ClientHello{}, 0); // perhaps nobody knows us any more
            ask(job);
        }
    });
}

void Client::ask_later(Job& job, Time delay)
{
    job.correlation = ++last_correlation_; // what still comes is too late
    environment_.agenda.in(delay, [this, &job, correlation = job.correlation] {
        if (job.correlation == correlation) {
            ask(job);
        }
    });
}

void Client::hear(const coordinator::Send& send)
{
    const auto found = std::ranges::find_if(
        jobs_, [&](const Job& job) { return send.correlation != 0 && job.correlation == send.correlation; });
    if (found != jobs_.end() && found->stage != Stage::over && found->stage != Stage::planned) {
        answer(*found, send);
    }
}

void Client::answer(Job& job, const coordinator::Send& send)
{
    if (const auto* failure = std::get_if<proto::RequestFailed>(&send.message)) {
        on_failure(job, *failure);
    } else if (std::holds_alternative<proto::Refused>(send.message)) {
        this->send(proto::ClientHello{}, 0);
        ask_later(job, 200);
    } else if (std::holds_alternative<proto::Submitted>(send.message)) {
        job.stage = Stage::watching;
        if (job.plan->cancel_after) {
            environment_.agenda.in(*job.plan->cancel_after, [&job] { job.wants_cancel = true; });
        }
        ask(job);
    } else if (std::holds_alternative<proto::JobCancelled>(send.message)) {
        job.wants_cancel = false;
        job.stage = Stage::watching;
        ask(job);
    } else if (const auto* changes = std::get_if<proto::JobChanges>(&send.message)) {
        on_changes(job, *changes);
    } else if (std::holds_alternative<proto::Artifact>(send.message)) {
        on_artifact(job, send);
    }
}

void Client::on_changes(Job& job, const proto::JobChanges& changes)
{
    job.last_change = changes.last_change;
    for (const auto& report : changes.items) {
        if (report.state == proto::ItemState::done) {
            std::erase_if(job.to_fetch, [&](const auto& old) { return old.index == report.index; });
            job.to_fetch.push_back(report);
        }
    }
    if (changes.job.state >= proto::JobState::done && !changes.more) {
        job.stage = job.to_fetch.empty() ? Stage::over : Stage::fetching;
    }
    ask(job);
}

void Client::on_failure(Job& job, const proto::RequestFailed& failure)
{
    const bool may_be_forgotten = checker_.ledger.is_forgotten(job.plan->id);
    require(failure.error != proto::RequestError::conflict && failure.error != proto::RequestError::invalid, "I15",
            [&] { return "the answer to a good request was: " + failure.message; });
    if (failure.error == proto::RequestError::unknown_job || failure.error == proto::RequestError::unknown_artifact) {
        require(may_be_forgotten, "I1", [&] { return name_ + " was told: " + failure.message; });
        job.stage = Stage::over;
        return;
    }
    ask_later(job, std::max<Time>(failure.retry_after_ms, 1'000));
}

void Client::on_artifact(Job& job, const coordinator::Send& send)
{
    const auto& report = job.to_fetch.back();
    const auto& spec = job.plan->spec;
    const auto picture = picture_of(spec.model, spec.parameters, spec.items.at(report.index.value));
    const auto& bytes = send.blobs.at(0).bytes;
    require(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) == picture, "I6", [&] {
        return "the picture of " + job.plan->id.value + "/" + std::to_string(report.index.value) + " is another one";
    });
    job.to_fetch.pop_back();
    job.stage = job.to_fetch.empty() ? Stage::over : Stage::fetching;
    ask(job);
}

} // namespace sdfleet::sim
