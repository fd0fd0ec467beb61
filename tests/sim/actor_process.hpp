// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/core/launch.hpp"
#include "proto/packet.hpp"
#include "tests/sim/environment.hpp"
#include "tests/sim/scenario.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sdfleet::sim {

/// One process of an actor: starts, says hello, beats, draws a batch of items, step by step. It may die, stop, get stuck or
/// be slow.
class ActorProcess : public std::enable_shared_from_this<ActorProcess> {
public:
    struct Owner {
        std::function<void(agent::Launch, proto::Message, std::vector<proto::Blob>)> hears;
        std::function<void(agent::Launch, std::optional<int> exit_code, std::string how)> reaps;
    };

    ActorProcess(Environment& environment, agent::Launch launch, std::string name, const NodePlan& plan, Owner owner)
        : environment_(environment), launch_(launch), name_(std::move(name)), slowness_(plan.slowness),
          max_batch_(plan.max_batch), owner_(std::move(owner))
    {
    }

    void start();
    /// Over its connection: messages come in their order, a moment later.
    void send(const proto::Message& message);
    void die(const std::string& how, std::optional<int> exit_code = {});
    void vanish() { is_alive_ = false; } ///< with its agent: nobody reaps it

    void stop(Time until) { stopped_until_ = until; }
    void slow_down() { slowness_ = std::max(slowness_, 15U); }

    bool is_alive() const { return is_alive_; }
    bool is_busy() const { return is_alive_ && !(batch_.empty() && waiting_.empty()); }
    agent::Launch launch() const { return launch_; }

private:
    struct Drawn {
        proto::Assign assign;
        std::uint32_t step = 0;
        std::uint32_t steps = 1;
        Time begun_at = 0;
        bool is_cancelled = false;
        bool is_over = false;
    };

    void later(Time delay, void (ActorProcess::*what)());
    void say(proto::Message message, std::vector<proto::Blob> blobs = {});
    void say_hello();
    void beat();
    void hear(const proto::Message& message);
    void take(const proto::Assign& assign);
    void cancel(proto::AttemptId id);
    void join();
    bool fits(const proto::Assign& assign) const;
    void take_step();
    bool suffer();
    void advance();
    void finish(const Drawn& item);
    void fail(const proto::Assign& assign, proto::FailureReason reason, std::string message);
    Time step_ms();
    bool is_stopped() const { return environment_.now() < stopped_until_; }

    Environment& environment_;
    agent::Launch launch_;
    std::string name_;
    std::uint32_t slowness_;
    std::size_t max_batch_;
    Owner owner_;
    bool is_alive_ = true;
    bool is_stuck_ = false;
    Time stopped_until_ = 0;
    std::uint64_t beats_ = 0;
    Time heard_at_ = 0; ///< when the last message to it arrives
    std::vector<Drawn> batch_;
    std::deque<proto::Assign> waiting_;
};

} // namespace sdfleet::sim
