// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/core/effect.hpp"
#include "agent/core/event.hpp"
#include "tests/sim/environment.hpp"
#include "tests/sim/program_text.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace sdfleet::sim {

/// A rank under its keeper: joins its program's group, writes into a pipe that holds only so much, ends by itself or when
/// it is told to. What the keeper kills is gone with all that it started.
class RankProcess : public std::enable_shared_from_this<RankProcess> {
public:
    using Happens = std::function<void(agent::Event)>;

    RankProcess(Environment& environment, agent::SpawnRank spawn, std::string name, Happens happens);

    void start();
    void end(agent::Ending ending);
    void read(proto::OutputStream stream);
    void hear(const proto::Message& message);
    void vanish(); ///< with its agent: the keeper kills it, and nobody is told

    bool is_alive() const { return is_alive_; }
    bool is_doomed() const { return is_doomed_; } ///< SIGKILL is on its way
    bool is_over() const { return !is_alive_ && is_out_closed_ && is_err_closed_; }
    const std::string& name() const { return name_; }
    const proto::ProgramRun& run() const { return spawn_.run; }

private:
    void later(Time delay, void (RankProcess::*what)());
    void say(agent::Event event);
    void write();
    void finish();
    void die(proto::RankExit exit);
    void answer_reader();

    Environment& environment_;
    agent::SpawnRank spawn_;
    RankPlan plan_;
    std::string name_;
    Happens happens_;
    bool is_alive_ = true;
    bool is_doomed_ = false;
    std::uint32_t written_ = 0;
    std::string pipe_;
    bool is_read_ = false; ///< somebody waits for what comes out of the pipe
    bool is_err_read_ = false;
    bool is_out_closed_ = false;
    bool is_err_closed_ = false;
};

} // namespace sdfleet::sim
