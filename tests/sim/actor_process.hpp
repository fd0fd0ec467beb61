// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/core/launch.hpp"
#include "proto/packet.hpp"
#include "tests/sim/environment.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>

namespace sdfleet::sim {

/// One process of an actor: starts, says hello, beats, draws one item at a time, step by step. It may die, stop, get
/// stuck or be slow.
class ActorProcess : public std::enable_shared_from_this<ActorProcess> {
public:
    struct Owner {
        std::function<void(agent::Launch, proto::Message, std::vector<proto::Blob>)> hears;
        std::function<void(agent::Launch, std::optional<int> exit_code, std::string how)> reaps;
    };

    ActorProcess(Environment& environment, agent::Launch launch, std::string name, std::uint32_t slowness, Owner owner)
        : environment_(environment), launch_(launch), name_(std::move(name)), slowness_(slowness),
          owner_(std::move(owner))
    {
    }

    void start();
    void hear(const proto::Message& message);
    void die(const std::string& how, std::optional<int> exit_code = {});
    void vanish() { is_alive_ = false; } ///< with its agent: nobody reaps it

    void stop(Time until) { stopped_until_ = until; }
    void slow_down() { slowness_ = std::max(slowness_, 15U); }

    bool is_alive() const { return is_alive_; }
    bool is_busy() const { return is_alive_ && item_.has_value(); }
    agent::Launch launch() const { return launch_; }

private:
    void later(Time delay, void (ActorProcess::*what)());
    void say(proto::Message message, std::vector<proto::Blob> blobs = {});
    void say_hello();
    void beat();
    void begin(const proto::Assign& assign);
    void take_step();
    void finish();
    void fail(proto::FailureReason reason, std::string message);
    Time step_ms();
    bool is_stopped() const { return environment_.now() < stopped_until_; }

    Environment& environment_;
    agent::Launch launch_;
    std::string name_;
    std::uint32_t slowness_;
    Owner owner_;
    bool is_alive_ = true;
    bool is_stuck_ = false;
    bool is_cancelled_ = false;
    Time stopped_until_ = 0;
    std::uint64_t beats_ = 0;
    std::optional<proto::Assign> item_;
    std::uint32_t step_ = 0;
    std::uint32_t steps_ = 0;
    Time begun_at_ = 0;
    std::uint64_t items_ = 0; ///< so that a step of an item before is recognised
};

} // namespace sdfleet::sim
