// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/lease_watch.hpp"

#include "tests/sim/description.hpp"
#include "tests/sim/violation.hpp"

#include <algorithm>

namespace sdfleet::sim {

void LeaseWatch::coordinator_starts()
{
    is_braking_ = false;
    for (auto& [id, attempt] : attempts_) {
        attempt.is_confirmed = false;
    }
}

/// Nobody is given up but by a tick, and nobody while the brake holds.
void LeaseWatch::before_step(const coordinator::Event& event, const Silence& silence, Time now)
{
    if (!std::holds_alternative<coordinator::Tick>(event) || is_braking_) {
        return;
    }
    for (const auto& [node, heard] : silence.heard()) {
        if (now - heard < options_.lease.count) {
            continue;
        }
        for (auto& [id, attempt] : attempts_) {
            attempt.is_confirmed = attempt.is_confirmed && attempt.node != node;
        }
    }
}

void LeaseWatch::after_step(const coordinator::Event& event, Silence& silence, const coordinator::Effects& effects)
{
    if (const auto* packet = std::get_if<coordinator::PacketReceived>(&event)) {
        if (const auto* hello = std::get_if<proto::AgentHello>(&packet->message)) {
            adopt(*hello, effects);
        }
    }
    for (const auto& effect : effects) {
        if (const auto* alarm = std::get_if<coordinator::Alarm>(&effect)) {
            is_braking_ = is_braking_ || alarm->text.find("their work is held for them") != alarm->text.npos;
        } else if (const auto* log = std::get_if<coordinator::Log>(&effect)) {
            is_braking_ = is_braking_ && log->text.find("may be given up for their silence again") == log->text.npos;
        } else if (const auto* send = std::get_if<coordinator::Send>(&effect)) {
            if (const auto* assigned = std::get_if<proto::Assign>(&send->message)) {
                assign(silence.node_of(send->peer.bytes), *assigned);
            }
        } else if (const auto* persist = std::get_if<coordinator::Persist>(&effect)) {
            if (const auto* settle = std::get_if<coordinator::SettleItems>(&persist->operation)) {
                check(*settle);
            }
        }
    }
}

/// What the agent reports and is not told to cancel, it keeps. What it was given back may be asked for at once, for an
/// idle actor: until then it is its own again.
void LeaseWatch::adopt(const proto::AgentHello& hello, const coordinator::Effects& effects)
{
    const auto is_cancelled = [&](proto::AttemptId id) {
        return std::ranges::any_of(effects, [&](const auto& effect) {
            const auto* send = std::get_if<coordinator::Send>(&effect);
            const auto* cancel = send == nullptr ? nullptr : std::get_if<proto::CancelAttempt>(&send->message);
            return cancel != nullptr && cancel->attempt_id == id;
        });
    };
    const auto goes_on = [&](proto::AttemptId id) {
        return std::ranges::any_of(effects, [&](const auto& effect) {
            const auto* log = std::get_if<coordinator::Log>(&effect);
            return log != nullptr && log->subject.attempt == id.value && log->text.find("goes on at") != log->text.npos;
        });
    };
    for (const auto& report : hello.attempts) {
        if (goes_on(report.attempt_id) || !is_cancelled(report.attempt_id)) {
            const proto::ItemId item{report.job_id, report.index};
            attempts_[report.attempt_id] = {item, hello.node_id, true, false};
            of_item_[item].insert(report.attempt_id);
        }
    }
}

void LeaseWatch::assign(const proto::NodeId& node, const proto::Assign& assign)
{
    const proto::ItemId item{assign.job_id, assign.index};
    auto& attempts = of_item_[item];
    for (const auto id : attempts) {
        auto& other = attempts_.at(id);
        other.is_superseded = other.is_superseded || !other.is_confirmed;
    }
    attempts.insert(assign.attempt_id);
    attempts_[assign.attempt_id] = {item, node, true, false};
}

void LeaseWatch::check(const coordinator::SettleItems& settle) const
{
    for (const auto& outcome : settle.outcomes) {
        const auto attempt = attempts_.find(outcome.attempt);
        const bool is_fenced = attempt != attempts_.end() && attempt->second.is_superseded;
        require(!is_fenced || outcome.state != proto::ItemState::done, "I3", [&] {
            return "the result of " + describe(outcome.attempt) + " counts, but its lease was over and " +
                   settle.job_id.value + "/" + std::to_string(outcome.index.value) + " was given to another";
        });
    }
}

} // namespace sdfleet::sim
