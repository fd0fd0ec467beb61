// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/effects.hpp"
#include "coordinator/core/fleet.hpp"
#include "coordinator/core/program.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sdfleet::coordinator {

struct ProgramOptions {
    Milliseconds start_timeout{60'000};  ///< from StartRanks to RanksStarted; actors that must die first take a moment
    Milliseconds watch_timeout{15'000};  ///< a client silent for so long is dead: its program is stopped
    Milliseconds missing_timeout{3'000}; ///< a run absent from its node's heartbeats for so long is gone
    Milliseconds stop_reminder{1'000};   ///< between two StopRanks
    Milliseconds stop_patience{30'000};  ///< beyond the grace; then the rest is left to the node's agent
    Milliseconds keep{60'000};           ///< how long a program that is over can still be asked for
    Milliseconds late{500};              ///< a step so long after its deadline means that this process was held up
    std::size_t programs = 1'000;        ///< in the books; more are turned away
    std::size_t answer_bytes = 1u << 20; ///< of output with what keeping it takes, about
    std::uint32_t longest_wait_ms = 10'000;
};

/// A rank of a run is gone, for better or worse: what it was a member of must know.
struct RankDeath {
    proto::ProgramRun run;
    proto::NodeId node;
    proto::Rank rank;
    std::string why;
};

/// What Programs wants done; the core does it at the end of the step.
struct ProgramOutbox {
    Effects effects;
    std::vector<RankDeath> deaths;
    bool is_fleet_changed = false; ///< devices were reserved or freed
};

/// All programs, from launch to their end: who waits, who runs where, who watches. Pure, as the core whose part it is. One
/// program after the other gets its devices, in the order of their launches; those of the first in turn are kept free of new
/// work (Actor::lent_to) as soon as all of them can be had.
class Programs {
public:
    explicit Programs(ProgramOptions options = {}) : options_(options) {}

    // Clients that may run code on the nodes.
    void on(const proto::LaunchProgram& message, const Requester& requester, Fleet& fleet);
    void on(const proto::WatchProgram& message, const Requester& requester, Fleet& fleet);
    void on(const proto::StopProgram& message, const Requester& requester, Fleet& fleet);

    // Agents.
    void on(const proto::RanksStarted& message, Node& node, Fleet& fleet);
    void on(const proto::RankExited& message, Node& node, Fleet& fleet);
    void on(const proto::ProgramOutput& message, Node& node, const std::vector<proto::Blob>& blobs, Fleet& fleet);
    void on(const proto::RanksGone& message, Node& node, Fleet& fleet);
    void on_heartbeat(const std::vector<proto::ProgramRun>& runs, Node& node, Fleet& fleet);
    /// The node is lost, or its agent was started again.
    void on_node_lost(const proto::NodeId& id, const std::string& why, Fleet& fleet);

    /// Something about actors or nodes changed: devices may be free now.
    void on_fleet_changed(Fleet& fleet);

    /// Moves on what is due; to be called after every event. Returns what is to be done.
    ProgramOutbox finish_step(Milliseconds now, Fleet& fleet);

    /// Before every event.
    void begin_step(Milliseconds now);

    std::optional<Milliseconds> next_deadline() const;

    /// Whether the node takes part in the run now.
    bool is_on(const proto::ProgramRun& run, const proto::NodeId& node) const;

    /// Answers a client that may not.
    void refuse(const Requester& requester);

private:
    enum class Turn {
        passed, ///< the next program may try
        kept    ///< the others come later
    };

    void fail(const Requester& requester, proto::RequestError error, std::string message);
    void send(const Fleet& fleet, const proto::NodeId& node, proto::Message message);
    void log(LogLevel level, const Program& program, const std::string& text);
    void changed(Program& program);
    Program* find_run(const proto::ProgramRun& run);
    bool is_over(const Program& program) const { return program.is<Program::Over>(); }

    void place_next(Fleet& fleet);
    Turn try_start(Program& program, Fleet& fleet);
    void wait_because(Program& program, std::string reason);
    void reserve(Program& program, Placement placement, Fleet& fleet);
    void release(Program& program, Fleet& fleet);
    void start(Program& program, Fleet& fleet);
    void start_node(Program& program, ProgramNode& node, Fleet& fleet);
    void end_rank(Program& program, const ProgramNode& node, proto::Rank rank, proto::RankExit exit);
    void stop(Program& program, std::uint32_t grace_ms, Fleet& fleet);
    void remind(Program& program, Fleet& fleet);
    void node_gone(Program& program, ProgramNode& node, const std::string& why);
    void advance(Program& program, Fleet& fleet);
    void finish_epoch(Program& program, Fleet& fleet);
    void end(Program& program, proto::ProgramState state);
    void answer_watcher(Program& program);
    void send_changes(Program& program, const Requester& requester);
    std::optional<Milliseconds> deadline_of(const Program& program) const;

    ProgramOptions options_;
    std::map<proto::ProgramId, Program> programs_;
    std::uint64_t last_number_ = 0;
    Milliseconds now_;
    std::optional<Milliseconds> due_at_; ///< next_deadline() after the last step
    ProgramOutbox out_;
};

} // namespace sdfleet::coordinator
