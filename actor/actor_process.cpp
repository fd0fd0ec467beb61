// SPDX-License-Identifier: Apache-2.0
#include "actor/actor_process.hpp"

#include "actor/exit_code.hpp"
#include "base/program_options.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <utility>

#include <spdlog/spdlog.h>
#include <unistd.h>

namespace sdfleet::actor {

namespace {

// Until the agent's welcome says otherwise.
constexpr std::chrono::milliseconds first_interval{500};
constexpr std::chrono::milliseconds first_lease{10'000};
constexpr std::chrono::milliseconds compute_patience{3'000};

/// An item that is done sooner is not worth a word about its start.
constexpr std::chrono::milliseconds announced_after{20};

std::optional<proto::AttemptId> attempt_of(const proto::Packet& result)
{
    const auto* done = std::get_if<proto::ItemDone>(&result.message);
    const auto* failed = std::get_if<proto::ItemFailed>(&result.message);
    return done != nullptr ? std::optional(done->attempt_id)
                           : (failed != nullptr ? std::optional(failed->attempt_id) : std::nullopt);
}

} // namespace

ActorProcess::ActorProcess(ActorSettings settings, const KindRegistry& registry)
    : settings_(std::move(settings)), kinds_(registry.make(settings_)), socket_(context_, io_),
      signals_(io_, SIGTERM, SIGINT), timer_(io_), look_timer_(io_), interval_(first_interval), lease_(first_lease),
      heard_at_(Clock::now())
{
}

base::Result<void> ActorProcess::run()
{
    if (auto connected = socket_.connect(settings_.agent); !connected) {
        return base::fail(base::ExitCode::failed, connected.error());
    }
    socket_.start({[this] {
                       greet();
                       flush_results();
                   },
                   [this](const proto::Packet& packet) { on_packet(packet); },
                   [](const proto::DecodeError& error) { spdlog::warn("the agent sent garbage: {}", error.message); }});
    signals_.async_wait([this](const boost::system::error_code& error, int) {
        if (!error) {
            stop({});
        }
    });
    compute_.emplace(io_, kinds_,
                     ComputeThread::News{[this](const auto& ready) { on_ready(ready); },
                                         [this](const proto::StepProgress& progress) {
                                             announce(progress.attempt_id);
                                             send(progress);
                                         },
                                         [this](proto::Packet packet) { on_finished(std::move(packet)); },
                                         [this](const proto::GroupLeave& leave) { on_group_left(leave); }},
                     settings_.agent);
    io_.run();
    if (!compute_->finish_within(compute_patience)) {
        // An operation on the device that does not return; nothing here can be destroyed under it.
        std::_Exit(base::to_int(result_ ? base::ExitCode::ok : base::report("actor", result_.error())));
    }
    if (result_) {
        io_.restart();
        io_.poll(); // what the compute thread said last
        say_goodbye();
    }
    compute_.reset();
    return result_;
}

void ActorProcess::stop(base::Result<void> result)
{
    result_ = std::move(result);
    if (!result_) {
        say_goodbye(); // now: what the device does may never end
    }
    io_.stop();
}

void ActorProcess::say_goodbye()
{
    send(proto::Goodbye{result_ ? "stopped" : result_.error().message});
}

void ActorProcess::on_ready(const base::Result<void>& ready)
{
    if (!ready) {
        stop(ready);
        return;
    }
    is_ready_ = true;
    heard_at_ = Clock::now();
    greet();
    arm_timer();
}

void ActorProcess::greet()
{
    if (is_ready_) {
        send(proto::ActorHello{
            proto::protocol_version_min, proto::protocol_version_max, std::string("actor ") + SDFLEET_VERSION,
            settings_.slot, static_cast<std::uint64_t>(::getpid()), static_cast<std::uint32_t>(compute_->max_batch())});
    }
}

void ActorProcess::arm_timer()
{
    timer_.expires_after(interval_);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            on_tick();
        }
    });
}

bool ActorProcess::stop_if_ill()
{
    for (const auto& [name, kind] : kinds_) {
        if (const auto fault = kind->health()) {
            stop(base::fail(device_lost, "the device is of no use any more: " + *fault));
            return true;
        }
    }
    return false;
}

void ActorProcess::on_tick()
{
    if (stop_if_ill()) {
        return;
    }
    if (Clock::now() - heard_at_ > lease_) {
        stop(base::fail(base::ExitCode::failed, "the agent was silent for " + std::to_string(lease_.count()) + " ms"));
        return;
    }
    if (is_welcome_) {
        send(proto::Heartbeat{++sequence_, {}, {}, {}});
    } else {
        greet();
    }
    flush_results();
    arm_timer();
}

void ActorProcess::announce(proto::AttemptId id)
{
    if (announced_.insert(id).second) {
        send(proto::Started{id});
    }
}

/// One look for however many items come until then: short ones cost no timer, and no message, of their own.
void ActorProcess::look_soon()
{
    if (std::exchange(is_look_due_, true)) {
        return;
    }
    look_timer_.expires_after(announced_after);
    look_timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) {
            return;
        }
        is_look_due_ = false;
        for (const auto id : compute_->under_way()) {
            announce(id);
        }
    });
}

void ActorProcess::on_finished(proto::Packet packet)
{
    // An item that failed with its device is not at fault: by our end the agent learns that it is to be drawn elsewhere.
    if (std::holds_alternative<proto::ItemFailed>(packet.message) && stop_if_ill()) {
        return;
    }
    if (const auto id = attempt_of(packet)) {
        announced_.erase(*id);
    }
    last_results_.push_back(packet);
    if (last_results_.size() > compute_->max_batch()) {
        last_results_.pop_front();
    }
    results_.push_back(std::move(packet));
    flush_results();
    if (!compute_->under_way().empty()) {
        look_soon();
    }
}

/// Behind the results, which it must not overtake.
void ActorProcess::on_group_left(const proto::GroupLeave& leave)
{
    results_.push_back({{}, leave, {}});
    flush_results();
}

void ActorProcess::flush_results()
{
    while (!results_.empty()) {
        results_.front().envelope = envelope_;
        const auto sent = socket_.send(results_.front());
        if (!sent && sent.error() == net::SendError::would_block) {
            return; // again when the socket takes more, and with every heartbeat
        }
        results_.pop_front();
    }
}

void ActorProcess::on_packet(const proto::Packet& packet)
{
    std::visit([this](const auto& message) { said(message); }, packet.message);
}

void ActorProcess::said(const proto::Welcome& welcome)
{
    is_welcome_ = true;
    envelope_.version = welcome.protocol_version;
    interval_ = std::chrono::milliseconds(std::max(welcome.heartbeat_interval_ms, 20u));
    lease_ = std::max(std::chrono::milliseconds(welcome.lease_ms), interval_ * 2);
    heard_at_ = Clock::now();
}

void ActorProcess::said(const proto::Refused& refused)
{
    stop(base::fail(base::ExitCode::failed, "the agent refused this actor: " + refused.message));
}

void ActorProcess::said(const proto::Goodbye&)
{
    stop({});
}

void ActorProcess::said(const proto::HeartbeatAck&)
{
    heard_at_ = Clock::now();
}

void ActorProcess::said(const proto::Assign& assign)
{
    const auto result = std::ranges::find(last_results_, std::optional(assign.attempt_id), attempt_of);
    if (result != last_results_.end()) {
        results_.push_back(*result); // the agent asks again, so the first copy was lost with its connection
        flush_results();
    } else if (!compute_->offer(assign)) {
        send(proto::ItemFailed{assign.attempt_id, assign.job_id, assign.index, proto::FailureReason::overloaded,
                               "this actor has enough work"});
    } else {
        look_soon();
    }
}

void ActorProcess::said(const proto::CancelAttempt& cancel)
{
    compute_->cancel(cancel.attempt_id);
}

void ActorProcess::said(const proto::AssignGroup& order)
{
    if (!compute_->offer(order)) {
        for (const auto& item : order.items) {
            if (item.rank == order.rank) {
                send(proto::ItemFailed{item.attempt_id, order.job_id, item.index, proto::FailureReason::overloaded,
                                       "this actor has enough work"});
            }
        }
        send(proto::GroupLeave{order.group, order.epoch, order.rank});
    }
}

void ActorProcess::said(const proto::GroupAbort& abort)
{
    compute_->abort_group(abort);
}

template <class Other>
void ActorProcess::said(const Other& other)
{
    spdlog::warn("the agent sent message {}, which no agent may send to an actor", static_cast<int>(other.type));
}

} // namespace sdfleet::actor
