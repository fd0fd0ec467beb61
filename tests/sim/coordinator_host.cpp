// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/coordinator_host.hpp"

#include "tests/sim/description.hpp"
#include "tests/sim/violation.hpp"

#include <utility>

namespace sdfleet::sim {

namespace {

constexpr std::uint64_t crash_per_million_steps = 400;
constexpr std::uint64_t steps_between_self_checks = 16;
constexpr int most_ticks_at_once = 20;

} // namespace

CoordinatorHost::CoordinatorHost(Environment& environment, Disk& disk, Checker& checker)
    : environment_(environment), disk_(disk), checker_(checker)
{
    disk_.connect([this](coordinator::Event event) { feed(std::move(event)); });
}

void CoordinatorHost::start()
{
    core_.emplace(coordinator::Identity{{"cluster"}, ++epoch_, "simulated"}, environment_.scenario.options,
                  environment_.scenario.limits);
    environment_.trace.note(environment_.now(), "coordinator", epoch_,
                            [&] { return "STARTS, life " + std::to_string(epoch_); });
    checker_.coordinator_starts();
    environment_.ranks.coordinator_starts();
    feed(disk_.state().restored());
    for (const auto& listener : on_start_) {
        listener();
    }
}

void CoordinatorHost::crash()
{
    if (!core_) {
        return;
    }
    environment_.trace.note(environment_.now(), "coordinator", 0, [] { return std::string("CRASHES"); });
    core_.reset();
    armed_.reset();
    held_.clear();
    paused_until_ = 0;
    connections_.clear();
    disk_.crash();
    environment_.agenda.in(environment_.random.between(20, 3'000), [this] { start(); });
}

void CoordinatorHost::pause(Time until)
{
    environment_.trace.note(environment_.now(), "coordinator", 1,
                            [&] { return "stands still until " + std::to_string(until); });
    paused_until_ = until;
    environment_.agenda.at(until, [this] {
        for (auto& event : std::exchange(held_, {})) {
            feed(std::move(event));
        }
    });
}

void CoordinatorHost::connect(const std::string& peer, Receiver receiver)
{
    if (core_) {
        connections_[peer] = std::move(receiver);
    }
}

void CoordinatorHost::receive(coordinator::PacketReceived packet)
{
    if (core_ && connections_.contains(packet.peer.bytes)) {
        feed(std::move(packet));
    }
}

void CoordinatorHost::receive_from_stranger(const coordinator::PacketReceived& packet)
{
    if (!core_ || environment_.now() < paused_until_) {
        return;
    }
    if (const auto due = core_->next_deadline(); due && due->count <= environment_.now()) {
        feed(coordinator::Tick{}); // what is to happen now anyway is not the stranger's doing
        if (!core_) {
            return;
        }
    }
    const auto effects = core_->step(packet, {environment_.now()});
    const bool is_refused =
        effects.size() == 1 && std::holds_alternative<coordinator::Send>(effects.front()) &&
        std::get<coordinator::Send>(effects.front()).peer == packet.peer &&
        std::holds_alternative<proto::Refused>(std::get<coordinator::Send>(effects.front()).message);
    require(is_refused, "I13", [&] { return "a stranger's " + describe(packet.message) + " had effects"; });
    check_after(packet);
}

void CoordinatorHost::feed(coordinator::Event event)
{
    if (!core_) {
        return;
    }
    if (environment_.now() < paused_until_) {
        held_.push_back(std::move(event));
        return;
    }
    checker_.before_step(event, core_->next_deadline());
    auto effects = core_->step(event, {environment_.now()});
    checker_.after_step(event, effects);
    check_after(event);
    std::size_t reached = effects.size();
    const bool crashes = environment_.faults.strikes(Fault::coordinator_crash, crash_per_million_steps);
    if (crashes) {
        reached = environment_.random.below(effects.size() + 1);
    }
    for (std::size_t i = 0; i < reached; ++i) {
        perform(effects[i]);
    }
    if (crashes) {
        crash();
    } else {
        arm();
    }
}

proto::Message CoordinatorHost::ask(proto::Message question)
{
    const coordinator::Peer observer{"observer"};
    core_->step(coordinator::PacketReceived{observer, {}, 0, proto::ClientHello{}, {}, 0}, {environment_.now()});
    auto effects =
        core_->step(coordinator::PacketReceived{observer, {}, 1, std::move(question), {}, 0}, {environment_.now()});
    require(!effects.empty() && std::holds_alternative<coordinator::Send>(effects.front()), "I15",
            [] { return std::string("the observer got no answer"); });
    return std::get<coordinator::Send>(effects.front()).message;
}

void CoordinatorHost::check_after(const coordinator::Event& event)
{
    // Its indices need not know what a timer that is due is about to tell.
    const bool is_up_to_date = core_->next_deadline() && core_->next_deadline()->count > environment_.now();
    if (++steps_ % steps_between_self_checks == 0 && is_up_to_date) {
        const auto fault = core_->find_inconsistency();
        require(!fault, "tables", [&] { return *fault; });
    }
    const bool is_tick = std::holds_alternative<coordinator::Tick>(event);
    ticks_at_once_ = is_tick && last_tick_ == environment_.now() ? ticks_at_once_ + 1 : 0;
    last_tick_ = is_tick ? environment_.now() : last_tick_;
    require(ticks_at_once_ < most_ticks_at_once, "I7", [] { return std::string("the coordinator turns in a circle"); });
    require(core_->next_deadline().has_value(), "I7", [] { return std::string("the coordinator waits for nothing"); });
}

void CoordinatorHost::arm()
{
    const auto deadline = core_->next_deadline();
    if (!deadline || (armed_ && *armed_ <= deadline->count)) {
        return;
    }
    armed_ = deadline->count;
    environment_.agenda.at(*armed_, [this, at = *armed_, life = epoch_] {
        if (core_ && life == epoch_ && armed_ == at) {
            armed_.reset();
            feed(coordinator::Tick{});
        }
    });
}

void CoordinatorHost::perform(coordinator::Effect& effect)
{
    std::visit([this](auto& body) { perform(body); }, effect);
}

void CoordinatorHost::perform(coordinator::Send& send)
{
    if (auto* ack = std::get_if<proto::ResultAck>(&send.message);
        ack != nullptr && ack->verdict == proto::Verdict::stale &&
        environment_.mutation == Mutation::accepts_superseded) {
        ack->verdict = proto::Verdict::accepted;
    }
    checker_.ledger.leaves(send);
    const auto connection = connections_.find(send.peer.bytes);
    if (connection != connections_.end()) {
        connection->second(send);
        return;
    }
    environment_.agenda.in(0, [this, peer = send.peer, life = epoch_] {
        if (life == epoch_) {
            feed(coordinator::PeerUnreachable{peer});
        }
    });
}

void CoordinatorHost::perform(coordinator::Log& log)
{
    environment_.trace.note(environment_.now(), "coordinator", log.text.size(), [&] { return "\"" + log.text + "\""; });
}

void CoordinatorHost::perform(coordinator::Alarm& alarm)
{
    environment_.trace.note(environment_.now(), "coordinator", 2, [&] { return "ALARM \"" + alarm.text + "\""; });
}

} // namespace sdfleet::sim
