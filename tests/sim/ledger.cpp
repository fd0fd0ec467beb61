// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/ledger.hpp"

#include "tests/sim/description.hpp"
#include "tests/sim/picture.hpp"
#include "tests/sim/scenario.hpp"
#include "tests/sim/violation.hpp"

#include <algorithm>

namespace sdfleet::sim {

using proto::ItemState;

void Ledger::coordinator_hears(const proto::Message& message)
{
    if (const auto* done = std::get_if<proto::ItemDone>(&message)) {
        results_[done->attempt_id] = {done->job_id, done->index};
    } else if (const auto* failed = std::get_if<proto::ItemFailed>(&message)) {
        failures_.insert(failed->attempt_id);
    } else if (const auto* hello = std::get_if<proto::AgentHello>(&message)) {
        for (const auto& attempt : hello->attempts) {
            given_[{attempt.job_id, attempt.index}].insert(attempt.attempt_id);
        }
    }
}

/// A job that leaves the books may come again under its name, as another one.
void Ledger::coordinator_decides(const coordinator::Effects& effects)
{
    for (const auto& effect : effects) {
        const auto* log = std::get_if<coordinator::Log>(&effect);
        if (log == nullptr || log->text.find(" leaves the books ") == log->text.npos) {
            continue;
        }
        const proto::JobId id{log->subject.job};
        forgotten_.insert(id);
        const auto is_of_job = [&](const auto& entry) { return entry.first.job_id == id; };
        std::erase_if(told_, is_of_job);
        std::erase_if(accepted_, is_of_job);
    }
}

void Ledger::leaves(const coordinator::Send& send)
{
    std::visit([this](const auto& body) { on(body); }, send.message);
}

// ---------------------------------------------------------------- what may be said

void Ledger::on(const proto::Submitted& submitted)
{
    const auto& id = submitted.job.job_id;
    require(disk_.find(id) != nullptr, "I1",
            [&] { return "Submitted of " + id.value + " left before it was on disk"; });
    acknowledged_.insert(id);
}

void Ledger::on(const proto::JobCancelled& cancelled)
{
    const auto& id = cancelled.job.job_id;
    require(disk_.is_over(id), "I1", [&] { return "JobCancelled of " + id.value + " left before it was on disk"; });
}

void Ledger::on(const proto::ResultAck& ack)
{
    if (ack.verdict != proto::Verdict::accepted) {
        return;
    }
    const auto result = results_.find(ack.attempt_id);
    if (result == results_.end()) {
        require(failures_.contains(ack.attempt_id), "I2",
                [&] { return describe(ack.attempt_id) + " is acknowledged, but never brought a result"; });
        return;
    }
    const auto* outcome = disk_.find(result->second);
    require(outcome != nullptr && outcome->attempt == ack.attempt_id && outcome->state == ItemState::done, "I2", [&] {
        return "the result of " + describe(ack.attempt_id) + " for " + proto::to_string(result->second) +
               " was acknowledged as accepted, but " +
               (outcome == nullptr ? "the item has no outcome on disk"
                                   : "on disk is that of " + describe(outcome->attempt));
    });
    const auto first = accepted_.emplace(result->second, ack.attempt_id).first->second;
    require(first == ack.attempt_id, "I2", [&] {
        return proto::to_string(result->second) + " has two accepted results: of " + describe(first) + " and of " +
               describe(ack.attempt_id);
    });
}

void Ledger::on(const proto::JobChanges& changes)
{
    for (const auto& report : changes.items) {
        told(changes.job.job_id, report);
    }
}

void Ledger::on(const proto::JobDetail& detail)
{
    for (const auto& report : detail.reports) {
        told(detail.job.job_id, report);
    }
}

/// An end is told only when it is on disk, and stays what it was.
void Ledger::told(const proto::JobId& job, const proto::ItemReport& report)
{
    const proto::ItemId id{job, report.index};
    const auto known = told_.find(id);
    const bool is_over = report.state >= ItemState::done;
    require(known == told_.end() || known->second == report.state, "I1", [&] {
        return proto::to_string(id) + " was told to be in state " + std::to_string(static_cast<int>(known->second)) +
               ", now " + std::to_string(static_cast<int>(report.state));
    });
    if (!is_over) {
        return;
    }
    told_.emplace(id, report.state);
    const auto* outcome = disk_.find(id);
    const auto* stored = disk_.find(job);
    const bool is_on_disk = report.state == ItemState::cancelled ? stored != nullptr && stored->is_cancelled
                                                                 : outcome != nullptr && outcome->state == report.state;
    require(is_on_disk, "I1", [&] {
        return proto::to_string(id) + " was told to be in state " + std::to_string(static_cast<int>(report.state)) +
               ", which is not on disk";
    });
}

// ---------------------------------------------------------------- what may come to the disk

void Ledger::becomes_durable(const coordinator::StoreOperation& operation)
{
    std::visit([this](const auto& body) { check(body); }, operation);
}

void Ledger::check(const coordinator::InsertJob& insert) const
{
    const auto spec = specs_.find(insert.job_id);
    require(spec != specs_.end() && spec->second == *insert.spec, "I1",
            [&] { return "job " + insert.job_id.value + " is not what a client submitted"; });
}

void Ledger::check(const coordinator::SettleItems& settle) const
{
    require(disk_.find(settle.job_id) != nullptr, "I1",
            [&] { return "items of " + settle.job_id.value + " end, but the job is not on disk"; });
    for (const auto& outcome : settle.outcomes) {
        const proto::ItemId id{settle.job_id, outcome.index};
        const auto* before = disk_.find(id);
        require(before == nullptr || *before == outcome, "I2",
                [&] { return proto::to_string(id) + " ends a second time, otherwise than before"; });
        check_outcome(id, outcome);
    }
}

void Ledger::check_outcome(const proto::ItemId& id, const coordinator::ItemOutcome& outcome) const
{
    const auto& spec = specs_.at(id.job_id);
    const auto& item = spec.items.at(id.index.value);
    require(outcome.tries <= options_.tries_per_item, "I5",
            [&] { return proto::to_string(id) + " was tried " + std::to_string(outcome.tries) + " times"; });
    if (outcome.state == ItemState::failed) {
        check_failure(id, outcome);
        return;
    }
    require(item.prompt != poison_prompt && item.prompt != impossible_prompt, "I5",
            [&] { return proto::to_string(id) + " is done, but it cannot be"; });
    const auto picture = picture_of(spec.model, spec.parameters, item);
    require(outcome.sha256 == base::sha256_hex(picture), "I6",
            [&] { return proto::to_string(id) + " has another picture than its parameters give"; });
}

/// Whatever was written, removed or forgotten: what is done has its picture.
void Ledger::check_artifacts() const
{
    for (const auto& [id, job] : disk_.jobs) {
        for (const auto& outcome : job.outcomes) {
            require(outcome.state != ItemState::done || disk_.find_artifact(outcome.sha256) != nullptr, "I6", [&] {
                return proto::to_string(proto::ItemId{id, outcome.index}) + " is done, but its picture is not on disk";
            });
        }
    }
}

/// Nothing fails without having been tried, except what nobody could serve.
void Ledger::check_failure(const proto::ItemId& id, const coordinator::ItemOutcome& outcome) const
{
    const auto& item = specs_.at(id.job_id).items.at(id.index.value);
    const auto given = given_.find(id);
    const auto tries = given == given_.end() ? 0 : given->second.size();
    const bool is_unservable = outcome.attempt.value == 0;
    require(is_unservable || item.prompt == impossible_prompt ||
                tries >= std::min(options_.deaths_per_item, options_.tries_per_item),
            "I5", [&] {
                return proto::to_string(id) + " failed after " + std::to_string(tries) + " tries: " + outcome.error;
            });
}

void Ledger::check(const coordinator::ForgetJobs& forget) const
{
    for (const auto& id : forget.jobs) {
        require(disk_.find(id) == nullptr || disk_.is_over(id), "I1",
                [&] { return "job " + id.value + " leaves the books, but is not over"; });
    }
}

void Ledger::check_end() const
{
    for (const auto& id : acknowledged_) {
        require(forgotten_.contains(id) || disk_.is_over(id), "I1", [&] {
            return "job " + id.value + " was acknowledged, but " + (disk_.find(id) ? "is not over" : "is lost");
        });
    }
}

} // namespace sdfleet::sim
