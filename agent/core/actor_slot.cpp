// SPDX-License-Identifier: Apache-2.0
#include "agent/core/actor_slot.hpp"

#include "proto/batch_key.hpp"
#include "proto/version.hpp"

#include <algorithm>
#include <utility>

namespace sdfleet::agent {

namespace {

constexpr int bad_input_exit_code = 5; ///< of an actor whose model does not load: part of the programs' interface

std::string text_of(proto::AttemptId id)
{
    return "attempt " + std::to_string(id.value);
}

} // namespace

ActorSlot::ActorSlot(proto::Slot slot, std::string device, const Limits& limits, bool runs_actor)
    : slot_(slot), device_(std::move(device)), runs_actor_(runs_actor), limits_(limits),
      budget_(limits), launch_{slot, 0}
{
}

proto::ActorState ActorSlot::state() const
{
    auto phase = proto::ActorPhase::starting;
    if (is<Ready>()) {
        phase = proto::ActorPhase::ready;
    } else if (is<Failed>()) {
        phase = proto::ActorPhase::failed;
    } else if (is<Dying>() || is<BackingOff>()) {
        phase = proto::ActorPhase::restarting;
    } else if (is<Lending>() || is<Lent>()) {
        phase = proto::ActorPhase::lent;
    } else if (is<Vacant>()) {
        phase = proto::ActorPhase::vacant;
    }
    return {slot_, device_, phase, has_process() ? pid_ : 0, restarts_, is<Ready>() ? "" : detail_, max_batch_};
}

bool ActorSlot::has(proto::AttemptId id) const
{
    return (group_ && group_->open.contains(id)) ||
           std::ranges::any_of(in_hand_, [&](const AttemptInHand& a) { return a.assign.attempt_id == id; });
}

bool ActorSlot::has_process() const
{
    return is<Starting>() || is<Ready>() || is<Dying>() || is<Lending>() || is<Leaving>();
}

void ActorSlot::report_to(std::vector<proto::AttemptReport>& reports) const
{
    for (const auto& attempt : in_hand_) {
        if (!attempt.is_fenced) {
            reports.push_back(report_of(attempt.assign));
        }
    }
    if (group_ && !group_->is_fenced) {
        for (const auto id : group_->open) {
            reports.push_back(report_of_group(*group_item(id)));
        }
    }
}

base::LogSubject ActorSlot::subject(std::optional<proto::AttemptId> attempt) const
{
    base::LogSubject subject;
    subject.actor = slot_.value;
    if (attempt) {
        subject.attempt = attempt->value;
    }
    return subject;
}

std::size_t ActorSlot::count_unfenced() const
{
    return static_cast<std::size_t>(std::ranges::count(in_hand_, false, &AttemptInHand::is_fenced));
}

ActorSlot::AttemptInHand* ActorSlot::given(proto::AttemptId id)
{
    const auto found =
        std::ranges::find_if(in_hand_, [&](const auto& a) { return a.is_given && a.assign.attempt_id == id; });
    return found == in_hand_.end() ? nullptr : &*found;
}

void ActorSlot::start(Milliseconds now, Outbox& out)
{
    if (runs_actor_) {
        spawn(now, out);
    } else {
        phase_ = Vacant{};
    }
}

void ActorSlot::lend(Milliseconds now, Outbox& out)
{
    const std::string why = "is lent to a program";
    hand_back_held(why, out);
    detail_ = why;
    fail_given(proto::FailureReason::overloaded, out);
    fail_group(proto::FailureReason::overloaded, name() + " " + why, out);
    detail_.clear();
    if (has_process()) {
        phase_ = Lending{now + limits_.kill_repeat};
        out.effects.push_back(KillActor{launch_});
    } else {
        phase_ = Lent{};
    }
    announce(out);
}

void ActorSlot::reclaim(Milliseconds now, Outbox& out)
{
    start(now, out);
    announce(out);
}

void ActorSlot::spawn(Milliseconds now, Outbox& out)
{
    ++launch_.number;
    pid_ = 0;
    phase_ = Starting{now + limits_.actor_start_timeout};
    out.effects.push_back(SpawnActor{launch_, device_});
}

// ---------------------------------------------------------------- work

void ActorSlot::assign(const proto::Assign& assign, Outbox& out)
{
    if (has(assign.attempt_id)) { // the coordinator did not hear our answer
        out.accepted.push_back(assign.attempt_id);
        return;
    }
    if (!is<Ready>() || group_ || count_unfenced() >= max_batch_ + limits_.staged_per_slot) {
        out.finished.push_back(failed(assign, proto::FailureReason::overloaded,
                                      name() + (is<Ready>() ? " has enough work" : " is not ready")));
        return;
    }
    in_hand_.push_back({assign, false, false, std::nullopt, {}});
    out.accepted.push_back(assign.attempt_id);
    give_to_actor(out);
}

void ActorSlot::give_to_actor(Outbox& out)
{
    for (auto& attempt : in_hand_) {
        if (!attempt.is_given) {
            if (!may_be_given(attempt)) {
                return;
            }
            attempt.is_given = true;
            out.to_actor(launch_, attempt.assign);
        }
    }
}

bool ActorSlot::may_be_given(const AttemptInHand& attempt) const
{
    return std::ranges::none_of(in_hand_, [&](const AttemptInHand& other) {
        return other.is_given && (other.assign.alone || attempt.assign.alone);
    });
}

/// The actor connected again: what was said to the old connection may be lost.
void ActorSlot::say_again(Outbox& out)
{
    if (group_) {
        out.to_actor(launch_, group_->order);
        if (group_->abort_deadline) {
            out.to_actor(launch_, proto::GroupAbort{group_->order.group, group_->order.epoch, {}, "said again"});
        }
        return;
    }
    for (const auto& attempt : in_hand_) {
        if (attempt.is_given) {
            out.to_actor(launch_, attempt.assign);
            if (attempt.cancel_deadline) {
                out.to_actor(launch_, proto::CancelAttempt{attempt.assign.attempt_id});
            }
        }
    }
}

void ActorSlot::finish(proto::AttemptId id, Outbox& out)
{
    std::erase_if(in_hand_, [&](const AttemptInHand& a) { return a.assign.attempt_id == id; });
    give_to_actor(out);
}

void ActorSlot::hand_back_held(const std::string& why, Outbox& out)
{
    while (!in_hand_.empty() && !in_hand_.back().is_given) {
        out.finished.push_back(failed(in_hand_.back().assign, proto::FailureReason::overloaded, name() + " " + why));
        in_hand_.pop_back();
    }
}

/// The actor's process is over, or as good as: which of its attempts was the cause nobody knows here, so that all are told
/// the same. One that was to be cancelled is. The last ones first: what only waited must not look like what was next.
void ActorSlot::fail_given(proto::FailureReason reason, Outbox& out)
{
    auto attempts = std::exchange(in_hand_, {});
    std::ranges::reverse(attempts);
    for (const auto& attempt : attempts) {
        if (attempt.is_fenced) {
            continue;
        }
        auto its_reason = reason;
        if (attempt.cancel_deadline) {
            its_reason = proto::FailureReason::cancelled;
        } else if (reason == proto::FailureReason::cancelled) {
            its_reason = proto::FailureReason::overloaded; // the actor was killed because of another one
        }
        out.finished.push_back(failed(attempt.assign, its_reason, name() + " " + detail_));
    }
}

void ActorSlot::cancel(proto::AttemptId id, Milliseconds now, Outbox& out)
{
    if (group_) {
        abort_group("an item of it was cancelled", now, out);
        return;
    }
    if (auto* attempt = given(id)) {
        cancel(*attempt, now, out);
        return;
    }
    const auto held = std::ranges::find_if(in_hand_, [&](const auto& a) { return a.assign.attempt_id == id; });
    out.finished.push_back(failed(held->assign, proto::FailureReason::cancelled, "cancelled before it started"));
    in_hand_.erase(held);
    give_to_actor(out); // what it held back
}

void ActorSlot::cancel(AttemptInHand& attempt, Milliseconds now, Outbox& out)
{
    if (!attempt.cancel_deadline) {
        attempt.cancel_deadline = now + limits_.cancel_timeout;
        out.to_actor(launch_, proto::CancelAttempt{attempt.assign.attempt_id});
    }
}

void ActorSlot::fence(Milliseconds now, Outbox& out)
{
    if (group_) {
        group_->is_fenced = true;
        abort_group("this node was fenced", now, out);
    }
    std::erase_if(in_hand_, [](const AttemptInHand& attempt) { return !attempt.is_given; });
    for (auto& attempt : in_hand_) {
        attempt.is_fenced = true;
        cancel(attempt, now, out);
    }
}

// ---------------------------------------------------------------- the process

void ActorSlot::stop(Outbox& out)
{
    in_hand_.clear();
    group_.reset();
    if (is<Ready>()) {
        out.to_actor(launch_, proto::Goodbye{"the agent stops"});
        phase_ = Leaving{};
    } else if (has_process()) {
        kill(out); // it loads its model and listens to nobody
    } else {
        phase_ = Idle{};
    }
}

void ActorSlot::kill(Outbox& out)
{
    if (has_process()) {
        phase_ = Leaving{};
        out.effects.push_back(KillActor{launch_});
    }
}

void ActorSlot::kill_because(proto::FailureReason reason, std::string why, Milliseconds now, Outbox& out)
{
    out.log(LogLevel::error, name() + " " + why + "; killing it", subject());
    hand_back_held(why, out);
    detail_ = std::move(why);
    phase_ = Dying{now + limits_.kill_repeat, reason};
    out.effects.push_back(KillActor{launch_});
    announce(out);
}

void ActorSlot::on_spawned(const ActorSpawned& spawned, Outbox& out)
{
    if (spawned.launch == launch_ && has_process()) {
        pid_ = spawned.pid;
        announce(out);
    }
}

void ActorSlot::on_exited(const ActorExited& exited, Milliseconds now, Outbox& out)
{
    if (exited.launch != launch_ || !has_process()) {
        return;
    }
    if (is<Leaving>()) {
        phase_ = Idle{};
        return;
    }
    if (is<Lending>()) {
        phase_ = Lent{};
        return;
    }
    if (is<Starting>() && exited.exit_code == bad_input_exit_code) {
        phase_ = Failed{};
        out.stop = Exit{bad_input_exit_code, name() + " cannot load its model (its own line is above)"};
        return;
    }
    auto reason = proto::FailureReason::actor_died;
    if (const auto* dying = std::get_if<Dying>(&phase_)) {
        reason = dying->reason;
    } else {
        detail_ = exited.description;
    }
    hand_back_held(detail_, out);
    fail_group(reason, name() + " " + detail_, out);
    fail_given(reason, out);
    if (const auto delay = budget_.delay_after_death(now)) {
        out.log(LogLevel::warning,
                name() + " " + detail_ + "; starting it again in " + std::to_string(delay->count()) + " ms", subject());
        phase_ = BackingOff{now + *delay};
    } else {
        detail_ += "; it died more than " + std::to_string(limits_.restarts) + " times within " +
                   std::to_string(limits_.restart_period.count() / 1000) + " s and is not started again";
        out.log(LogLevel::error, name() + " " + detail_, subject());
        phase_ = Failed{};
    }
    announce(out);
}

void ActorSlot::on_tick(Milliseconds now, Outbox& out)
{
    if (auto* dying = std::get_if<Dying>(&phase_); dying != nullptr && now >= dying->kill_again_at) {
        dying->kill_again_at = now + limits_.kill_repeat;
        out.effects.push_back(KillActor{launch_});
    }
    if (auto* lending = std::get_if<Lending>(&phase_); lending != nullptr && now >= lending->kill_again_at) {
        lending->kill_again_at = now + limits_.kill_repeat;
        out.effects.push_back(KillActor{launch_});
    }
    if (const auto* waiting = std::get_if<BackingOff>(&phase_); waiting != nullptr && now >= waiting->until) {
        ++restarts_;
        spawn(now, out);
    }
    if (const auto* starting = std::get_if<Starting>(&phase_); starting != nullptr && now >= starting->deadline) {
        kill_because(proto::FailureReason::actor_hung,
                     "was not ready within " + std::to_string(limits_.actor_start_timeout.count() / 1000) + " s", now,
                     out);
    }
    if (const auto* ready = std::get_if<Ready>(&phase_); ready != nullptr && now >= ready->silence_deadline) {
        kill_because(proto::FailureReason::actor_hung,
                     "was silent for " + std::to_string(limits_.actor_silence_timeout.count() / 1000) + " s", now, out);
    }
    if (is<Ready>() && group_ && group_->abort_deadline && now >= *group_->abort_deadline) {
        kill_because(proto::FailureReason::cancelled,
                     "did not leave an aborted group within " + std::to_string(limits_.cancel_timeout.count() / 1000) +
                         " s",
                     now, out);
    }
    if (!is<Ready>()) {
        return;
    }
    if (std::ranges::any_of(in_hand_, [&](const auto& a) { return a.cancel_deadline && now >= *a.cancel_deadline; })) {
        kill_because(proto::FailureReason::cancelled,
                     "did not stop a cancelled item within " + std::to_string(limits_.cancel_timeout.count() / 1000) +
                         " s",
                     now, out);
        return;
    }
    for (auto& attempt : in_hand_) {
        if (const auto progress = attempt.progress.take_due(limits_.progress_interval, now)) {
            out.control.emplace_back(*progress);
        }
    }
}

std::optional<Milliseconds> ActorSlot::next_deadline() const
{
    if (const auto* starting = std::get_if<Starting>(&phase_)) {
        return starting->deadline;
    }
    if (const auto* dying = std::get_if<Dying>(&phase_)) {
        return dying->kill_again_at;
    }
    if (const auto* lending = std::get_if<Lending>(&phase_)) {
        return lending->kill_again_at;
    }
    if (const auto* waiting = std::get_if<BackingOff>(&phase_)) {
        return waiting->until;
    }
    const auto* ready = std::get_if<Ready>(&phase_);
    if (ready == nullptr) {
        return std::nullopt;
    }
    std::optional<Milliseconds> deadline = ready->silence_deadline;
    if (group_) {
        deadline = earlier(deadline, group_->abort_deadline);
    }
    for (const auto& attempt : in_hand_) {
        deadline = earlier(deadline, attempt.cancel_deadline);
        deadline = earlier(deadline, attempt.progress.deadline());
    }
    return deadline;
}

// ---------------------------------------------------------------- what the actor says

void ActorSlot::on_packet(const FromActor& event, Milliseconds now, Outbox& out)
{
    if (event.launch != launch_) {
        return; // the words of a dead one
    }
    if (auto* ready = std::get_if<Ready>(&phase_)) {
        ready->silence_deadline = now + limits_.actor_silence_timeout;
    }
    std::visit([&](const auto& message) { on(message, event.packet, now, out); }, event.packet.message);
}

void ActorSlot::on(const proto::ActorHello& hello, const proto::Packet&, Milliseconds now, Outbox& out)
{
    const proto::VersionRange theirs{hello.protocol_min, hello.protocol_max};
    const auto version = proto::negotiate({}, theirs);
    if (!version) {
        const auto refusal = proto::refuse_version({}, theirs);
        out.to_actor(launch_, refusal);
        kill_because(proto::FailureReason::internal, refusal.message, now, out);
        return;
    }
    if (!is<Starting>() && !is<Ready>()) {
        return;
    }
    if (!proto::is_valid_batch(hello.max_batch)) {
        kill_because(proto::FailureReason::internal,
                     "says that it draws " + std::to_string(hello.max_batch) + " items at once, not 1 to " +
                         std::to_string(proto::max_batch_limit),
                     now, out);
        return;
    }
    max_batch_ = hello.max_batch;
    out.to_actor(launch_,
                 proto::Welcome{*version, "", 0, static_cast<std::uint32_t>(limits_.actor_heartbeat_interval.count()),
                                static_cast<std::uint32_t>(limits_.actor_lease.count())});
    if (is<Starting>()) {
        phase_ = Ready{now + limits_.actor_silence_timeout};
        out.log(LogLevel::info, name() + " is ready, process " + std::to_string(pid_), subject());
        announce(out);
    } else {
        say_again(out);
    }
}

void ActorSlot::on(const proto::Heartbeat& heartbeat, const proto::Packet&, Milliseconds, Outbox& out)
{
    out.to_actor(launch_,
                 proto::HeartbeatAck{heartbeat.sequence, static_cast<std::uint32_t>(limits_.actor_lease.count())});
}

void ActorSlot::on(const proto::Started& started, const proto::Packet&, Milliseconds, Outbox& out)
{
    if (group_ && !group_->is_fenced && group_->open.contains(started.attempt_id)) {
        out.control.emplace_back(started);
        return;
    }
    const auto* attempt = given(started.attempt_id);
    if (attempt != nullptr && !attempt->is_fenced) {
        out.control.emplace_back(started);
    }
}

void ActorSlot::on(const proto::StepProgress& progress, const proto::Packet&, Milliseconds now, Outbox& out)
{
    if (group_ && !group_->is_fenced && group_->open.contains(progress.attempt_id)) {
        if (progress.step ==
            progress.steps) { // the others would be too many: the run's last sign of life is what counts
            out.control.emplace_back(progress);
        }
        return;
    }
    auto* attempt = given(progress.attempt_id);
    if (attempt == nullptr || attempt->is_fenced) {
        return;
    }
    if (const auto passed = attempt->progress.offer(progress, limits_.progress_interval, now)) {
        out.control.emplace_back(*passed);
    }
}

void ActorSlot::on(const proto::ItemDone& done, const proto::Packet& packet, Milliseconds, Outbox& out)
{
    if (finish_group_item(done, packet, out)) {
        return;
    }
    const auto* attempt = given(done.attempt_id);
    if (attempt == nullptr) {
        out.log(LogLevel::warning, name() + " finished " + text_of(done.attempt_id) + ", which it does not have",
                subject(done.attempt_id));
        return;
    }
    if (packet.blobs.size() != 1) {
        out.finished.push_back(failed(attempt->assign, proto::FailureReason::internal, name() + " sent no artifact"));
    } else {
        // Kept even when fenced: the coordinator decides whether the finished work is still wanted.
        auto copy = done;
        copy.job_id = attempt->assign.job_id;
        copy.index = attempt->assign.index;
        out.finished.push_back({report_of(attempt->assign), std::move(copy), packet.blobs});
    }
    finish(done.attempt_id, out);
}

void ActorSlot::on(const proto::ItemFailed& failure, const proto::Packet&, Milliseconds, Outbox& out)
{
    if (finish_group_item(failure, out)) {
        return;
    }
    const auto* attempt = given(failure.attempt_id);
    if (attempt == nullptr) {
        out.log(LogLevel::warning, name() + " failed " + text_of(failure.attempt_id) + ", which it does not have",
                subject(failure.attempt_id));
        return;
    }
    if (!attempt->is_fenced) {
        out.finished.push_back(failed(attempt->assign, failure.reason, failure.message));
    }
    finish(failure.attempt_id, out);
}

void ActorSlot::on(const proto::Goodbye& goodbye, const proto::Packet&, Milliseconds, Outbox& out)
{
    out.log(LogLevel::warning, name() + " leaves: " + goodbye.message, subject());
}

template <class Other>
void ActorSlot::on(const Other& other, const proto::Packet&, Milliseconds, Outbox& out)
{
    out.log(LogLevel::warning,
            name() + " sent message " + std::to_string(static_cast<int>(other.type)) + ", which no actor may send",
            subject());
}

} // namespace sdfleet::agent
