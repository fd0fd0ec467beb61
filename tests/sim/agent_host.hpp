// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/core/agent_core.hpp"
#include "tests/sim/actor_process.hpp"
#include "tests/sim/coordinator_host.hpp"
#include "tests/sim/fence_watch.hpp"
#include "tests/sim/link.hpp"
#include "tests/sim/rank_host.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sdfleet::sim {

/// A machine: the real agent core, its connections, its actors, and somebody who starts the agent again when it ended.
class AgentHost {
public:
    AgentHost(Environment& environment, CoordinatorHost& coordinator, const NodePlan& plan, std::string name);
    AgentHost(const AgentHost&) = delete;
    AgentHost& operator=(const AgentHost&) = delete;

    void start(std::uint64_t incarnation);
    void crash();                         ///< the agent and its actors are gone
    void reconnect();                     ///< both connections break and are made anew
    void pause(Time until);               ///< the agent stands still; its actors go on
    void retire() { is_retired_ = true; } ///< is not started again

    bool is_up() const { return core_.has_value(); }
    std::uint64_t incarnation() const { return incarnation_; }
    const std::string& name() const { return name_; }
    const NodePlan& plan() const { return plan_; }
    Link& link() { return link_; }
    bool is_busy() const;
    void on_end(std::function<void()> listener) { on_end_ = std::move(listener); }

private:
    void feed(agent::Event event);
    void arm();
    void end(const std::string& why);
    void connect(proto::Channel channel);
    std::string peer(proto::Channel channel) const;
    void watch(const proto::ActorState& state);
    void check(const proto::Heartbeat& heartbeat);

    void perform(const agent::SpawnActor& spawn);
    void perform(const agent::KillActor& kill);
    void perform(agent::SendToCoordinator& send);
    void perform(const agent::Redial&) { reconnect(); }
    void perform(const agent::SendToActor& send);
    void perform(const agent::SpawnRank& spawn);
    void perform(const agent::EndRank& end) { ranks_->end(end); }
    void perform(const agent::ReadOutput& read) { ranks_->read(read); }
    void perform(const agent::ChoosePort& choose) { ranks_->choose_port(choose); }
    void perform(const agent::SendToRank& send) { ranks_->send(send); }
    void perform(const agent::Log& log);
    void perform(const agent::Exit& exit);

    Environment& environment_;
    CoordinatorHost& coordinator_;
    NodePlan plan_;
    std::string name_;
    Link link_;
    std::optional<agent::AgentCore> core_;
    FenceWatch fence_;
    std::uint64_t incarnation_ = 0;
    std::uint64_t life_ = 0;
    std::uint64_t connection_ = 0;
    std::optional<Time> armed_;
    Time paused_until_ = 0;
    std::vector<agent::Event> held_;
    std::map<std::uint32_t, std::shared_ptr<ActorProcess>> actors_; ///< by slot: the newest process
    std::optional<RankHost> ranks_;
    bool is_retired_ = false;
    bool has_failed_actor_ = false;
    std::function<void()> on_end_;
};

} // namespace sdfleet::sim
