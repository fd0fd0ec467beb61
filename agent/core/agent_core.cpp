// SPDX-License-Identifier: Apache-2.0
#include "agent/core/agent_core.hpp"

#include <algorithm>
#include <utility>

namespace sdfleet::agent {

namespace {

constexpr Milliseconds first_silence_log{2'000};

std::string text_of(proto::AttemptId id)
{
    return "attempt " + std::to_string(id.value);
}

} // namespace

AgentCore::AgentCore(Settings settings)
    : settings_(std::move(settings)), link_(settings_.limits), results_(settings_.limits),
      groups_(settings_.limits.group_members)
{
    for (const auto& device : settings_.actor_devices) {
        slots_.emplace_back(proto::Slot{static_cast<std::uint32_t>(slots_.size())}, device, settings_.limits,
                            settings_.runs_actors);
    }
}

Effects AgentCore::step(const Event& event, Milliseconds now)
{
    if (!is_started_) {
        is_started_ = true;
        log_silence_at_ = now + first_silence_log;
        for (auto& slot : slots_) {
            slot.start(now, out_);
        }
    }
    std::visit([&](const auto& e) { on(e, now); }, event);
    advance(now);
    return std::exchange(out_, {}).effects;
}

std::optional<Milliseconds> AgentCore::next_deadline() const
{
    std::optional<Milliseconds> runs_deadline;
    for (const auto& [id, run] : runs_) {
        runs_deadline = earlier(runs_deadline, run.next_deadline());
    }
    if (stopping_) {
        return stopping_->is_over ? std::nullopt
                                  : earlier(std::min(stopping_->kill_at, stopping_->give_up_at), runs_deadline);
    }
    auto deadline = earlier(link_.next_deadline(), slots_due_at_ ? slots_due_at_ : slots_deadline());
    deadline = earlier(deadline, tell_accepted_at_);
    deadline = earlier(deadline, runs_deadline);
    if (link_.is_bulk_open()) {
        deadline = earlier(deadline, results_.ack_deadline());
    }
    return deadline;
}

// ---------------------------------------------------------------- events

void AgentCore::on(const FromCoordinator& event, Milliseconds now)
{
    if (!stopping_) {
        std::visit([&](const auto& message) { said(message, event, now); }, event.packet.message);
    }
}

void AgentCore::on(const LinkWritable& event, Milliseconds now)
{
    link_.on_writable(event.channel, now);
}

void AgentCore::on(const FromActor& event, Milliseconds now)
{
    touch(event.launch.slot).on_packet(event, now, out_);
}

void AgentCore::on(const ActorSpawned& event, Milliseconds)
{
    touch(event.launch.slot).on_spawned(event, out_);
}

void AgentCore::on(const ActorExited& event, Milliseconds now)
{
    touch(event.launch.slot).on_exited(event, now, out_);
}

void AgentCore::on(const Tick&, Milliseconds) {}

void AgentCore::on(const StopRequested& event, Milliseconds now)
{
    if (stopping_) {
        stopping_->kill_at = now;
    } else {
        begin_stop({0, ""}, event.reason, now);
    }
}

// ---------------------------------------------------------------- what the coordinator says

void AgentCore::said(const proto::Welcome& welcome, const FromCoordinator& event, Milliseconds now)
{
    if (event.channel == proto::Channel::bulk) {
        link_.on_bulk_welcome();
        results_.forget_what_was_sent();
        return;
    }
    if (welcome.epoch != epoch_ || !link_.is_member()) {
        out_.log(LogLevel::info, "joined the coordinator at " + settings_.coordinator + " (" + welcome.software + ")");
    }
    epoch_ = welcome.epoch;
    link_.on_control_welcome(welcome, event.packet.envelope.cluster, now);
    for (const auto& [id, run] : runs_) {
        run.on_welcome(out_);
    }
    groups_.on_welcome(out_);
}

void AgentCore::said(const proto::Refused& refused, const FromCoordinator&, Milliseconds now)
{
    switch (refused.reason) {
    case proto::RefusalReason::not_registered:
        link_.on_not_registered(now);
        return;
    case proto::RefusalReason::full:
        out_.log(LogLevel::warning, "the coordinator takes no more agents now: " + refused.message);
        fence(now); // without membership there is no lease that could end
        link_.on_full(now);
        return;
    case proto::RefusalReason::other_cluster:
        out_.log(LogLevel::warning, "the coordinator at " + settings_.coordinator +
                                        " belongs to another cluster; dropping the old one's work");
        fence(now);
        results_.clear();
        link_.on_other_cluster(now);
        return;
    case proto::RefusalReason::protocol_version:
    case proto::RefusalReason::superseded:
    case proto::RefusalReason::fenced:
    case proto::RefusalReason::invalid_hello:
        fence(now); // what this agent had may be started elsewhere by now
        begin_stop({1, "the coordinator at " + settings_.coordinator + " refused this agent: " + refused.message}, "",
                   now);
        return;
    }
}

void AgentCore::said(const proto::HeartbeatAck& ack, const FromCoordinator&, Milliseconds)
{
    link_.on_heartbeat_ack(ack);
}

void AgentCore::said(const proto::Assign& assign, const FromCoordinator&, Milliseconds)
{
    if (!link_.is_member() || results_.contains(assign.attempt_id)) {
        return; // not ours to do, or done: the result is sent until it is acknowledged
    }
    if (assign.slot.value >= slots_.size()) {
        out_.finished.push_back(failed(assign, proto::FailureReason::overloaded,
                                       "this node has no actor " + std::to_string(assign.slot.value)));
    } else if (results_.is_full()) {
        out_.finished.push_back(
            failed(assign, proto::FailureReason::overloaded, "too many results of this node wait for the coordinator"));
    } else {
        touch(assign.slot).assign(assign, out_);
        for (const auto id : std::exchange(out_.accepted, {})) {
            accepted_.emplace_back(assign.slot, id);
        }
    }
}

void AgentCore::said(const proto::CancelAttempt& cancel, const FromCoordinator&, Milliseconds now)
{
    if (auto* slot = slot_with(cancel.attempt_id)) {
        slot->cancel(cancel.attempt_id, now, out_);
        slots_due_at_.reset();
    } else {
        out_.log(LogLevel::debug, "asked to cancel " + text_of(cancel.attempt_id) + ", which is not in hand");
    }
}

void AgentCore::said(const proto::ResultAck& ack, const FromCoordinator&, Milliseconds)
{
    if (results_.acknowledge(ack.attempt_id) && ack.verdict == proto::Verdict::corrupt) {
        out_.log(LogLevel::error, "the result of " + text_of(ack.attempt_id) + " reached the coordinator damaged");
    }
}

template <class Other>
void AgentCore::said(const Other& other, const FromCoordinator&, Milliseconds)
{
    out_.log(LogLevel::warning, "the coordinator sent message " + std::to_string(static_cast<int>(other.type)) +
                                    ", which no coordinator may send to an agent");
}

// ---------------------------------------------------------------- time

void AgentCore::advance(Milliseconds now)
{
    if (stopping_) {
        advance_stop(now);
        return;
    }
    advance_slots(now);
    advance_runs(now);
    if (out_.stop) {
        const auto exit = *out_.stop;
        begin_stop(exit, exit.reason, now);
        advance_stop(now);
        return;
    }
    talk_to_coordinator(now);
}

void AgentCore::advance_slots(Milliseconds now)
{
    const auto touched = std::exchange(touched_, std::nullopt);
    if (!slots_due_at_ || now >= *slots_due_at_) {
        for (auto& slot : slots_) {
            slot.on_tick(now, out_);
        }
        slots_due_at_ = slots_deadline();
    } else if (touched) {
        auto& slot = slots_.at(touched->value);
        slot.on_tick(now, out_);
        slots_due_at_ = earlier(slots_due_at_, slot.next_deadline());
    }
}

std::optional<Milliseconds> AgentCore::slots_deadline() const
{
    std::optional<Milliseconds> deadline;
    for (const auto& slot : slots_) {
        deadline = earlier(deadline, slot.next_deadline());
    }
    return deadline;
}

ActorSlot& AgentCore::touch(proto::Slot slot)
{
    touched_ = slot;
    return slots_.at(slot.value);
}

void AgentCore::talk_to_coordinator(Milliseconds now)
{
    if (link_.is_bulk_open()) {
        if (const auto deadline = results_.ack_deadline(); deadline && now >= *deadline) {
            out_.log(LogLevel::warning, "results are not acknowledged; sending them again");
            link_.greet_bulk_again(now);
        }
    }
    const auto due = link_.take_due(now);
    if (due.is_lease_lost) {
        out_.log(LogLevel::warning, "the coordinator at " + settings_.coordinator +
                                        " did not answer within the lease; stopping the work in hand");
        log_silence_at_ = now + settings_.limits.no_answer_log_interval;
        fence(now);
    }
    for (auto& finished : std::exchange(out_.finished, {})) {
        results_.add(std::move(finished));
    }
    if (due.redial) {
        out_.effects.push_back(Redial{});
    }
    if (due.control_hello) {
        log_silence(now);
        send(proto::Channel::control, hello(proto::Channel::control));
    }
    if (due.bulk_hello) {
        send(proto::Channel::bulk, hello(proto::Channel::bulk));
    }
    tell_accepted(now);
    for (auto& packet : std::exchange(out_.bulky, {})) {
        if (link_.is_member()) { // else it is said again after the welcome
            const auto correlation = packet.envelope.correlation;
            packet.envelope = link_.envelope();
            packet.envelope.correlation = correlation;
            out_.effects.push_back(SendToCoordinator{proto::Channel::control, std::move(packet)});
        }
    }
    for (auto& message : std::exchange(out_.control, {})) {
        if (link_.is_member()) {
            send(proto::Channel::control, std::move(message));
        } // else the next hello, or the heartbeat right after the welcome, tells it
    }
    if (link_.is_bulk_open()) {
        for (auto& packet : results_.take_sendable(now)) {
            packet.envelope = link_.envelope();
            out_.effects.push_back(SendToCoordinator{proto::Channel::bulk, std::move(packet)});
        }
    }
    if (due.heartbeat) {
        proto::Heartbeat heartbeat{*due.heartbeat, {}, {}, {}};
        for (const auto& report : attempts_in_hand()) {
            heartbeat.attempts.push_back(report.attempt_id);
        }
        for (const auto& slot : slots_) {
            heartbeat.actors.push_back(slot.state());
        }
        for (const auto& [id, run] : runs_) {
            if (run.is_present()) {
                heartbeat.programs.push_back(id);
            }
        }
        send(proto::Channel::control, std::move(heartbeat));
    }
}

/// After a moment, and only of what is still in hand: short items are done by then, and their results say enough.
void AgentCore::tell_accepted(Milliseconds now)
{
    if (!accepted_.empty() && !tell_accepted_at_) {
        tell_accepted_at_ = now + settings_.limits.acceptance_delay;
    }
    if (!tell_accepted_at_ || now < *tell_accepted_at_) {
        return;
    }
    tell_accepted_at_.reset();
    for (const auto& [slot, id] : std::exchange(accepted_, {})) {
        if (slots_[slot.value].has(id)) {
            out_.control.emplace_back(proto::Accepted{id});
        }
    }
}

void AgentCore::log_silence(Milliseconds now)
{
    if (!link_.is_member() && now >= log_silence_at_) {
        out_.log(LogLevel::warning, "no answer from a coordinator at " + settings_.coordinator + "; trying on" +
                                        (settings_.silence_advice.empty() ? "" : ". " + settings_.silence_advice));
        log_silence_at_ = now + settings_.limits.no_answer_log_interval;
    }
}

void AgentCore::fence(Milliseconds now)
{
    slots_due_at_.reset();
    for (auto& slot : slots_) {
        slot.fence(now, out_);
    }
    for (auto& [id, run] : runs_) {
        run.abandon(now, out_);
    }
}

// ---------------------------------------------------------------- programs and their groups

RankRun* AgentCore::find(const proto::ProgramRun& run)
{
    const auto found = runs_.find(run);
    return found == runs_.end() ? nullptr : &found->second;
}

GroupDesk::IsOurs AgentCore::is_ours() const
{
    return [this](const proto::GroupId& group, proto::Epoch epoch, proto::Rank rank) {
        const auto has_it = [&](const ActorSlot& slot) { return slot.is_in_group(group, epoch, rank); };
        if (std::ranges::any_of(slots_, has_it)) {
            return true;
        }
        const auto run = runs_.find({{group.value.substr(0, group.value.find('/'))}, epoch});
        return run != runs_.end() && run->second.is_alive(rank);
    };
}

void AgentCore::said(const proto::StartRanks& order, const FromCoordinator&, Milliseconds now)
{
    if (!link_.is_member() || runs_.contains(order.run)) {
        return;
    }
    for (const auto& place : order.places) {
        for (const auto slot : place.slots) {
            if (slot.value >= slots_.size() || slots_[slot.value].is_lending()) {
                out_.log(LogLevel::error, "asked to start ranks on slot " + std::to_string(slot.value) +
                                              ", which this node does not have, or other ranks have");
                out_.control.emplace_back(proto::RanksGone{order.run});
                return;
            }
        }
    }
    out_.log(LogLevel::info, "program " + order.run.program_id.value + ": starting " +
                                 std::to_string(order.places.size()) + " of its " + std::to_string(order.spec.ranks) +
                                 " ranks");
    runs_.try_emplace(order.run, order, settings_.limits, slots_, now, out_);
    slots_due_at_.reset();
}

void AgentCore::said(const proto::StopRanks& stop, const FromCoordinator&, Milliseconds now)
{
    RankRun* run = find(stop.run);
    if (run == nullptr || !run->is_present()) {
        out_.control.emplace_back(proto::RanksGone{stop.run});
    } else {
        run->stop(Milliseconds(stop.grace_ms), now, out_);
    }
}

void AgentCore::said(const proto::OutputTaken& taken, const FromCoordinator&, Milliseconds)
{
    if (RankRun* run = find(taken.run)) {
        run->on_taken(taken.until);
    }
}

void AgentCore::said(const proto::GroupFormed&, const FromCoordinator& event, Milliseconds)
{
    groups_.on_coordinator(event.packet, out_);
}

void AgentCore::said(const proto::GroupRefused&, const FromCoordinator& event, Milliseconds)
{
    groups_.on_coordinator(event.packet, out_);
}

void AgentCore::said(const proto::GroupAbort& abort, const FromCoordinator& event, Milliseconds now)
{
    groups_.on_coordinator(event.packet, out_);
    for (auto& slot : slots_) {
        if (slot.is_in_group(abort.group, abort.epoch)) {
            slot.abort_group(abort.message, now, out_);
            slots_due_at_.reset();
        }
    }
}

void AgentCore::said(const proto::AssignGroup& order, const FromCoordinator&, Milliseconds)
{
    if (!link_.is_member() || order.slot.value >= slots_.size()) {
        return; // its items are missing from our heartbeats: the coordinator ends the group
    }
    auto local = order;
    local.address = settings_.address;
    touch(order.slot).assign_group(local, out_);
    for (const auto id : std::exchange(out_.accepted, {})) {
        accepted_.emplace_back(order.slot, id);
    }
}

void AgentCore::on(const RankSpawned& event, Milliseconds)
{
    if (RankRun* run = find(event.run)) {
        run->on_spawned(event);
    }
}

void AgentCore::on(const RankEnded& event, Milliseconds)
{
    if (RankRun* run = find(event.run)) {
        run->on_ended(event, out_);
        groups_.keep_only(is_ours());
    }
}

void AgentCore::on(const RankWrote& event, Milliseconds)
{
    if (RankRun* run = find(event.run)) {
        run->on_wrote(event, out_);
    }
}

void AgentCore::on(const PortChosen& event, Milliseconds)
{
    if (RankRun* run = find(event.run)) {
        run->on_port(event.port, out_);
    }
}

void AgentCore::on(const FromRank& event, Milliseconds)
{
    groups_.on_rank(event, is_ours(), out_);
}

void AgentCore::advance_runs(Milliseconds now)
{
    for (auto& [id, run] : runs_) {
        run.advance(now, settings_, slots_, out_);
        slots_due_at_.reset(); // it may have lent them, or given them back
    }
    std::erase_if(runs_, [now](const auto& entry) { return entry.second.may_be_forgotten(now); });
}

// ---------------------------------------------------------------- the end

void AgentCore::begin_stop(Exit exit, const std::string& goodbye, Milliseconds now)
{
    for (auto& slot : slots_) {
        slot.stop(out_);
    }
    for (auto& [id, run] : runs_) {
        run.stop(settings_.limits.stop_patience / 2, now, out_);
    }
    const auto kill_at = now + settings_.limits.stop_patience;
    stopping_ = Stopping{std::move(exit), goodbye, kill_at, kill_at + settings_.limits.stop_patience};
}

void AgentCore::say_goodbye(Milliseconds now)
{
    const bool has_ranks = std::ranges::any_of(runs_, [](const auto& entry) { return entry.second.has_processes(); });
    if (stopping_->goodbye.empty() || (has_ranks && now < stopping_->give_up_at)) {
        return;
    }
    proto::Goodbye goodbye{std::exchange(stopping_->goodbye, {})};
    if (link_.is_member()) {
        send(proto::Channel::control, std::move(goodbye));
    }
}

void AgentCore::advance_stop(Milliseconds now)
{
    if (stopping_->is_over) {
        return;
    }
    advance_runs(now);
    say_goodbye(now);
    const bool are_all_gone =
        std::ranges::none_of(slots_, &ActorSlot::has_process) &&
        std::ranges::none_of(runs_, [](const auto& entry) { return entry.second.has_processes(); });
    if (are_all_gone || now >= stopping_->give_up_at) {
        stopping_->is_over = true;
        out_.effects.push_back(stopping_->exit);
        return;
    }
    if (now >= stopping_->kill_at) {
        stopping_->kill_at = Milliseconds::max();
        for (auto& slot : slots_) {
            slot.kill(out_);
        }
        for (auto& [id, run] : runs_) {
            run.abandon(now, out_);
        }
    }
}

// ---------------------------------------------------------------- parts of messages

void AgentCore::send(proto::Channel channel, proto::Message message)
{
    out_.effects.push_back(SendToCoordinator{channel, {link_.envelope(), std::move(message), {}}});
}

proto::AgentHello AgentCore::hello(proto::Channel channel) const
{
    proto::AgentHello hello;
    hello.software = settings_.software;
    hello.channel = channel;
    hello.node_id = settings_.node_id;
    hello.incarnation = settings_.incarnation;
    if (channel == proto::Channel::control) {
        hello.hostname = settings_.hostname;
        hello.pid = settings_.pid;
        hello.devices = settings_.devices;
        hello.models = settings_.models;
        for (const auto& slot : slots_) {
            hello.actors.push_back(slot.state());
        }
        hello.attempts = attempts_in_hand();
        hello.address = settings_.address;
    }
    return hello;
}

std::vector<proto::AttemptReport> AgentCore::attempts_in_hand() const
{
    std::vector<proto::AttemptReport> reports;
    for (const auto& slot : slots_) {
        slot.report_to(reports);
    }
    results_.report_to(reports);
    return reports;
}

ActorSlot* AgentCore::slot_with(proto::AttemptId id)
{
    const auto found = std::ranges::find_if(slots_, [&](const ActorSlot& slot) { return slot.has(id); });
    return found == slots_.end() ? nullptr : &*found;
}

} // namespace sdfleet::agent
