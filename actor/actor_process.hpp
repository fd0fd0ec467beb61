// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "actor/actor_settings.hpp"
#include "actor/compute_thread.hpp"
#include "actor/kind_registry.hpp"
#include "net/socket.hpp"

#include <chrono>
#include <deque>
#include <optional>
#include <set>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

namespace sdfleet::actor {

/// An actor's I/O thread: talks to the agent, proves with heartbeats that it lives, and hands items to the compute
/// thread. Ends when the agent says so, falls silent, or refuses it.
class ActorProcess {
public:
    ActorProcess(ActorSettings settings, const KindRegistry& registry);

    /// Runs until the end; returns without an error when the agent (or a signal) wanted it. The compute thread gets a few
    /// seconds to stop; should it not, the process is ended from here.
    base::Result<void> run();

private:
    using Clock = std::chrono::steady_clock;

    void on_ready(const base::Result<void>& ready);
    void on_packet(const proto::Packet& packet);
    void on_finished(proto::Packet packet);
    void on_group_left(const proto::GroupLeave& leave);
    void on_tick();
    bool stop_if_ill();
    void greet();
    void stop(base::Result<void> result);
    void say_goodbye();
    void send(proto::Message message) { (void)socket_.send({envelope_, std::move(message), {}}); }
    void flush_results();
    void arm_timer();
    void look_soon();
    void announce(proto::AttemptId id);

    void said(const proto::Welcome& welcome);
    void said(const proto::Refused& refused);
    void said(const proto::Goodbye& goodbye);
    void said(const proto::HeartbeatAck& ack);
    void said(const proto::Assign& assign);
    void said(const proto::CancelAttempt& cancel);
    void said(const proto::AssignGroup& order);
    void said(const proto::GroupAbort& abort);
    template <class Other>
    void said(const Other& other);

    ActorSettings settings_;
    Kinds kinds_;
    boost::asio::io_context io_{1};
    net::Context context_;
    net::DealerSocket socket_;
    boost::asio::signal_set signals_;
    boost::asio::steady_timer timer_;
    boost::asio::steady_timer look_timer_; ///< to see what the compute thread is at

    proto::Envelope envelope_;
    bool is_ready_ = false;   ///< the kinds have started
    bool is_welcome_ = false; ///< the agent knows us
    bool is_look_due_ = false;
    std::set<proto::AttemptId> announced_; ///< items under way that the agent heard the start of
    std::chrono::milliseconds interval_;
    std::chrono::milliseconds lease_;
    Clock::time_point heard_at_; ///< the agent's last acknowledgement
    std::uint64_t sequence_ = 0;
    std::deque<proto::Packet> last_results_; ///< said again when the agent assigns their attempts again
    std::deque<proto::Packet> results_;      ///< not taken by the socket yet; at most as many as items under way
    base::Result<void> result_;
    std::optional<ComputeThread> compute_; ///< last: it posts to io_
};

} // namespace sdfleet::actor
