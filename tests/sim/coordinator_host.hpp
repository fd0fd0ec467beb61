// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/core.hpp"
#include "tests/sim/checker.hpp"
#include "tests/sim/disk.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sdfleet::sim {

/// The coordinator's process: the real core, what the shell around it does, and what may happen to both. It may be
/// killed after any of a step's effects, and comes back with what is on the disk.
class CoordinatorHost {
public:
    using Receiver = std::function<void(const coordinator::Send&)>;

    CoordinatorHost(Environment& environment, Disk& disk, Checker& checker);

    void start();
    void crash();
    void pause(Time until);
    bool is_up() const { return core_.has_value(); }
    void on_start(std::function<void()> listener) { on_start_.push_back(std::move(listener)); }

    void connect(const std::string& peer, Receiver receiver);
    void disconnect(const std::string& peer) { connections_.erase(peer); }
    void receive(coordinator::PacketReceived packet);

    /// The effects of a message from somebody who never said hello.
    void receive_from_stranger(const coordinator::PacketReceived& packet);
    /// Asks as an observer at the end of a run; the answer must not need the disk.
    proto::Message ask(proto::Message question);
    const coordinator::Core& core() const { return *core_; }

private:
    void feed(coordinator::Event event);
    void check_after(const coordinator::Event& event);
    void arm();
    void perform(coordinator::Effect& effect);
    void perform(coordinator::Send& send);
    void perform(coordinator::Log& log);
    void perform(coordinator::Alarm& alarm);
    template <class Task>
    void perform(Task& task)
    {
        disk_.push(std::move(task));
    }

    Environment& environment_;
    Disk& disk_;
    Checker& checker_;
    std::optional<coordinator::Core> core_;
    std::uint64_t epoch_ = 0;
    std::optional<Time> armed_;
    Time paused_until_ = 0;
    std::vector<coordinator::Event> held_; ///< what came during a pause
    std::map<std::string, Receiver> connections_;
    std::vector<std::function<void()>> on_start_;
    std::uint64_t steps_ = 0;
    Time last_tick_ = -1;
    int ticks_at_once_ = 0;
};

} // namespace sdfleet::sim
