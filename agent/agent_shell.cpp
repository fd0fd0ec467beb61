// SPDX-License-Identifier: Apache-2.0
#include "agent/agent_shell.hpp"

#include "base/log.hpp"
#include "proto/message_table.hpp"

#include <csignal>
#include <cstring>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <spdlog/spdlog.h>

namespace sdfleet::agent {

namespace {

// Results wait here only as long as the core lets them (Limits::results_on_wire, result_bytes_on_wire); the socket's own
// bound must not cut in before.
constexpr net::SocketLimits result_limits{.send_high_water_mark = 1000, .receive_high_water_mark = 1000};

/// What the last messages get to leave the process.
constexpr std::chrono::milliseconds farewell{50};

} // namespace

AgentShell::AgentShell(Settings settings, const std::optional<net::CurveClient>& key, ActorLauncher launcher)
    : core_(settings), coordinator_(std::move(settings.coordinator)), launcher_(std::move(launcher)),
      control_(context_, io_, {}, key), bulk_(context_, io_, result_limits, key), actors_socket_(context_, io_),
      signals_(io_, SIGTERM, SIGINT), timer_(io_),
      ranks_(io_, settings.limits.read_bytes, [this](Event event) { happen(std::move(event)); })
{
}

base::Result<void> AgentShell::run()
{
    if (auto opened = open_sockets(); !opened) {
        return opened;
    }
    wait_for_signal();
    happen(Tick{});
    io_.run();
    io_.restart();
    io_.run_for(farewell);
    if (exit_->code != 0) {
        return base::fail(static_cast<base::ExitCode>(exit_->code), exit_->reason);
    }
    return {};
}

base::Result<void> AgentShell::open_sockets()
{
    if (auto bound = actors_socket_.bind(launcher_.endpoint); !bound) {
        return base::fail(base::ExitCode::failed, bound.error());
    }
    for (auto* socket : {&control_, &bulk_}) {
        if (auto connected = socket->connect(coordinator_); !connected) {
            return base::fail(base::ExitCode::usage,
                              connected.error() + "; the coordinator's address looks like tcp://HOST:7420");
        }
    }
    actors_socket_.start(
        {[this](const net::PeerId& peer, proto::Packet packet) { on_actor_packet(peer, std::move(packet)); },
         [](const net::PeerId&, const proto::DecodeError& error) {
             spdlog::warn("an actor sent garbage: {}", error.message);
         }});
    start_link(control_, proto::Channel::control);
    start_link(bulk_, proto::Channel::bulk);
    return {};
}

void AgentShell::start_link(net::DealerSocket& socket, proto::Channel channel)
{
    socket.start(
        {[this, channel] { happen(LinkWritable{channel}); },
         [this, channel](proto::Packet packet) {
             happen(FromCoordinator{channel, std::move(packet)});
         },
         [](const proto::DecodeError& error) { spdlog::warn("the coordinator sent garbage: {}", error.message); }});
}

void AgentShell::wait_for_signal()
{
    signals_.async_wait([this](const boost::system::error_code& error, int number) {
        if (!error) {
            happen(StopRequested{std::string("the agent was stopped by SIG") + sigabbrev_np(number)});
            wait_for_signal();
        }
    });
}

// ---------------------------------------------------------------- the core

Milliseconds AgentShell::now() const
{
    return std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - start_);
}

void AgentShell::happen(Event event)
{
    pending_.push_back(std::move(event));
    if (is_stepping_) {
        return; // carrying out an effect made this happen: after the other effects
    }
    is_stepping_ = true;
    while (!pending_.empty() && !exit_) {
        const auto next = std::move(pending_.front());
        pending_.pop_front();
        for (const auto& effect : core_.step(next, now())) {
            std::visit([this](const auto& e) { carry_out(e); }, effect);
        }
    }
    is_stepping_ = false;
    arm_timer();
}

void AgentShell::arm_timer()
{
    const auto deadline = core_.next_deadline();
    if (!deadline || (timer_deadline_ && *timer_deadline_ <= *deadline)) {
        return; // the timer that runs comes in time; a tick too early does no harm
    }
    timer_deadline_ = deadline;
    // The core's clock counts whole milliseconds: a moment later, so that the deadline has passed by then.
    timer_.expires_at(start_ + *deadline + Milliseconds(1));
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            timer_deadline_.reset();
            happen(Tick{});
        }
    });
}

void AgentShell::carry_out(const SpawnActor& spawn)
{
    const auto slot = spawn.launch.slot.value;
    auto process = ChildProcess::spawn(io_, launcher_.command(slot));
    if (!process) {
        happen(ActorExited{spawn.launch, std::nullopt, "did not start: " + process.error().message});
        return;
    }
    happen(ActorSpawned{spawn.launch, static_cast<std::uint64_t>(process->pid())});
    auto [actor, is_new] = actors_.insert_or_assign(slot, Actor{spawn.launch, std::move(*process), std::nullopt});
    actor->second.process.on_exit([this, launch = spawn.launch](const ExitStatus& status) {
        const auto* exited = std::get_if<ExitedWith>(&status);
        forget(launch);
        happen(ActorExited{launch, exited != nullptr ? std::optional(exited->code) : std::nullopt, describe(status)});
    });
}

void AgentShell::carry_out(const KillActor& kill)
{
    const auto actor = actors_.find(kill.launch.slot.value);
    if (actor != actors_.end() && actor->second.launch == kill.launch) {
        actor->second.process.signal(SIGKILL);
    }
}

void AgentShell::carry_out(const SendToCoordinator& send)
{
    auto& socket = send.channel == proto::Channel::control ? control_ : bulk_;
    if (const auto sent = socket.send(send.packet); !sent && sent.error() == net::SendError::too_large) {
        spdlog::error("not sent to the coordinator: {}", to_string(sent.error()));
    }
}

void AgentShell::carry_out(const Redial&)
{
    for (auto* socket : {&control_, &bulk_}) {
        if (const auto dialled = socket->redial(coordinator_); !dialled) {
            spdlog::error("{}", dialled.error());
        }
    }
}

void AgentShell::carry_out(const SendToActor& send)
{
    const auto actor = actors_.find(send.launch.slot.value);
    if (actor == actors_.end() || actor->second.launch != send.launch || !actor->second.peer) {
        return;
    }
    if (const auto sent = actors_socket_.send(*actor->second.peer, send.packet); !sent) {
        // An actor that does not read is silent too, or has its death reported soon: the core finds out.
        spdlog::debug("not sent to actor {}: {}", send.launch.slot.value, to_string(sent.error()));
    }
}

void AgentShell::carry_out(const ChoosePort& choose)
{
    using boost::asio::ip::tcp;
    boost::system::error_code error;
    std::uint16_t port = 0;
    tcp::acceptor acceptor(io_);
    acceptor.open(tcp::v4(), error);
    acceptor.bind(tcp::endpoint(tcp::v4(), 0), error);
    if (const auto chosen = acceptor.local_endpoint(error); !error) {
        port = chosen.port();
    }
    happen(PortChosen{choose.run, port});
}

void AgentShell::carry_out(const SendToRank& send)
{
    if (const auto sent = actors_socket_.send(net::PeerId{send.peer}, send.packet); !sent) {
        spdlog::debug("not sent to a rank: {}", to_string(sent.error()));
    }
}

void AgentShell::carry_out(const Log& log)
{
    base::log_about(log.level, log.text, log.subject);
}

void AgentShell::carry_out(const Exit& exit)
{
    exit_ = exit;
    io_.stop();
}

// ---------------------------------------------------------------- actors

void AgentShell::on_actor_packet(const net::PeerId& peer, proto::Packet packet)
{
    const auto* hello = std::get_if<proto::ActorHello>(&packet.message);
    if (hello != nullptr && !recognise(peer, *hello)) {
        proto::Packet refusal;
        refusal.message = proto::Refused{proto::RefusalReason::invalid_hello,
                                         "this agent did not start process " + std::to_string(hello->pid)};
        (void)actors_socket_.send(peer, refusal);
        return;
    }
    const auto launch = launches_.find(peer);
    if (launch != launches_.end()) {
        happen(FromActor{launch->second, std::move(packet)});
    } else if (proto::may_send(proto::Role::rank, proto::Role::agent, proto::type_of(packet.message))) {
        happen(FromRank{peer.bytes, std::move(packet)});
    } // else the last words of an actor that is gone
}

/// Whether the hello comes from the process that we started for the slot; from then on its connection stands for it.
bool AgentShell::recognise(const net::PeerId& peer, const proto::ActorHello& hello)
{
    const auto actor = actors_.find(hello.slot.value);
    if (actor == actors_.end() || static_cast<std::uint64_t>(actor->second.process.pid()) != hello.pid) {
        return false;
    }
    if (actor->second.peer) {
        launches_.erase(*actor->second.peer);
    }
    actor->second.peer = peer;
    launches_[peer] = actor->second.launch;
    return true;
}

void AgentShell::forget(Launch launch)
{
    const auto actor = actors_.find(launch.slot.value);
    if (actor == actors_.end() || actor->second.launch != launch) {
        return;
    }
    if (actor->second.peer) {
        launches_.erase(*actor->second.peer);
    }
    actors_.erase(actor);
}

} // namespace sdfleet::agent
