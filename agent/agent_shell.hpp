// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/actor_launcher.hpp"
#include "agent/core/agent_core.hpp"
#include "agent/process/child_process.hpp"
#include "agent/ranks/rank_processes.hpp"
#include "base/error.hpp"
#include "net/socket.hpp"

#include <chrono>
#include <deque>
#include <map>
#include <optional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

namespace sdfleet::agent {

/// An agent's loop: sockets, child processes, signals and the clock around an AgentCore. Everything happens on the
/// thread that calls run().
class AgentShell {
public:
    /// `key` is what a coordinator beyond this machine asks for.
    AgentShell(Settings settings, const std::optional<net::CurveClient>& key, ActorLauncher launcher);

    /// Runs until the core says Exit. Fails when it could not start, with the code that the core named otherwise.
    base::Result<void> run();

private:
    /// The process of one slot, while there is one.
    struct Actor {
        Launch launch;
        ChildProcess process;
        std::optional<net::PeerId> peer; ///< known from its hello on
    };

    base::Result<void> open_sockets();
    void start_link(net::DealerSocket& socket, proto::Channel channel);
    void wait_for_signal();
    void happen(Event event);
    void arm_timer();
    Milliseconds now() const;

    void on_actor_packet(const net::PeerId& peer, proto::Packet packet);
    bool recognise(const net::PeerId& peer, const proto::ActorHello& hello);
    void forget(Launch launch);

    void carry_out(const SpawnActor& spawn);
    void carry_out(const KillActor& kill);
    void carry_out(const SendToCoordinator& send);
    void carry_out(const Redial& redial);
    void carry_out(const SendToActor& send);
    void carry_out(const SpawnRank& spawn) { ranks_.spawn(spawn); }
    void carry_out(const EndRank& end) { ranks_.end(end); }
    void carry_out(const ReadOutput& read) { ranks_.read(read); }
    void carry_out(const ChoosePort& choose);
    void carry_out(const SendToRank& send);
    void carry_out(const Log& log);
    void carry_out(const Exit& exit);

    AgentCore core_;
    std::string coordinator_;
    ActorLauncher launcher_;
    const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();

    boost::asio::io_context io_{1};
    net::Context context_;
    net::DealerSocket control_;
    net::DealerSocket bulk_;
    net::RouterSocket actors_socket_;
    boost::asio::signal_set signals_;
    boost::asio::steady_timer timer_;

    std::map<std::uint32_t, Actor> actors_; ///< by slot
    RankProcesses ranks_;
    std::map<net::PeerId, Launch> launches_; ///< who speaks on the actors' socket
    std::deque<Event> pending_;              ///< what carrying out an effect made happen
    bool is_stepping_ = false;
    std::optional<Milliseconds> timer_deadline_; ///< the timer runs until then
    std::optional<Exit> exit_;
};

} // namespace sdfleet::agent
