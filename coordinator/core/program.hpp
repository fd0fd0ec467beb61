// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/bookkeeping.hpp"
#include "coordinator/core/program_output.hpp"
#include "coordinator/core/program_placement.hpp"
#include "proto/program_messages.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sdfleet::coordinator {

/// One node's part of a run.
struct ProgramNode {
    enum class Stage {
        chosen,   ///< its devices are reserved
        starting, ///< StartRanks was sent
        running,
        gone ///< nothing of the run is left there
    };
    PlacedNode placed;
    Stage stage = Stage::chosen;
    Milliseconds asked_at;                     ///< StartRanks or the last StopRanks
    std::optional<Milliseconds> missing_since; ///< absent from its node's heartbeats since then
    std::uint64_t output_received = 0;         ///< ProgramOutput::offset of what comes next
    std::uint64_t output_taken = 0;            ///< how much of that reached the client
};

/// Any command, run as N ranks at once. Lives in memory alone: it ends with the coordinator, with its client, and with any
/// of its ranks that fails.
struct Program {
    struct Waiting {
        std::string reason; ///< for people
    };
    struct Running {
        std::uint16_t master_port = 0; ///< 0 until rank 0's node told it
    };
    struct Stopping {
        Milliseconds kill_at; ///< when the grace is over
    };
    struct Over {
        proto::ProgramState state = proto::ProgramState::done;
        Milliseconds forget_at;
    };

    proto::ProgramId id;
    proto::ProgramSpec spec;
    std::uint64_t number = 0; ///< programs start in this order
    std::variant<Waiting, Running, Stopping, Over> phase;
    proto::Epoch epoch{1};
    std::vector<ProgramNode> nodes; ///< of this epoch; while waiting: reserved, if any
    std::string master_address;
    std::vector<proto::RankReport> ranks;
    std::vector<proto::Rank> failed;
    std::string detail;
    bool is_stop_wanted = false; ///< by its client, or for the lack of one
    bool is_abandoned = false;   ///< nobody will ask for its output
    std::uint64_t last_change = 1;
    ProgramOutputQueue output;
    std::optional<Requester> watcher;
    Milliseconds watcher_deadline;
    std::uint64_t watcher_saw = 0; ///< last_change as it knows it
    Milliseconds last_watched;

    template <class Phase>
    bool is() const
    {
        return std::holds_alternative<Phase>(phase);
    }
    proto::ProgramRun run() const { return {id, epoch}; }
    ProgramNode* find_node(const proto::NodeId& node_id);
    proto::RankReport* find_rank(proto::Rank rank) { return rank.value < ranks.size() ? &ranks[rank.value] : nullptr; }
    bool are_all_gone() const;
    proto::ProgramState state() const;
};

} // namespace sdfleet::coordinator
