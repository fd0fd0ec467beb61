// SPDX-License-Identifier: Apache-2.0
// Programs: any command, run as N ranks on the fleet's devices. Part of the wire as messages.hpp is; its rules hold here.
#pragma once

#include "proto/ids.hpp"
#include "proto/message_type.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace sdfleet::proto {

constexpr std::uint32_t max_ranks = 4'096;

struct EnvironmentVariable {
    std::string name;
    std::string value;

    bool operator==(const EnvironmentVariable&) const = default;
    SDFLEET_WIRE_MAP(name, value)
};

struct ProgramSpec {
    std::vector<std::string> command; ///< the program, looked for in the node's PATH, and its arguments
    std::vector<EnvironmentVariable> environment;
    std::string working_dir; ///< on the nodes; empty = the agent's own
    std::uint32_t ranks = 1;
    std::uint32_t nodes = 0;             ///< spread over exactly so many; 0 = over as few as possible
    std::uint32_t devices_per_rank = 1;  ///< each rank gets so many devices of one node
    std::uint32_t max_restarts = 0;      ///< whole tries after the first, each with the next epoch
    std::uint32_t stop_grace_ms = 5'000; ///< between SIGTERM and SIGKILL

    bool operator==(const ProgramSpec&) const = default;
    SDFLEET_WIRE_MAP(command, environment, working_dir, ranks, nodes, devices_per_rank, max_restarts, stop_grace_ms)
};

struct ProgramRun {
    ProgramId program_id;
    Epoch epoch;

    auto operator<=>(const ProgramRun&) const = default;
    SDFLEET_WIRE_MAP(program_id, epoch)
};

enum class ProgramState : std::uint8_t {
    waiting = 0, ///< for devices
    running = 1,
    stopping = 2, ///< some ranks have ended or are to end; the others are being stopped
    done = 3,     ///< every rank ended with 0
    failed = 4,
    stopped = 5 ///< by its client, or because its client fell silent
};
constexpr ProgramState last_enumerator(ProgramState)
{
    return ProgramState::stopped;
}

/// How a rank ended. One of the two numbers is 0.
struct RankExit {
    std::uint32_t code = 0;   ///< its exit code
    std::uint32_t signal = 0; ///< that killed it
    std::string detail;       ///< for people; why it did not start, for one

    bool is_success() const { return code == 0 && signal == 0; }
    bool operator==(const RankExit&) const = default;
    SDFLEET_WIRE_MAP(code, signal, detail)
};

enum class RankState : std::uint8_t { waiting = 0, running = 1, ended = 2 };
constexpr RankState last_enumerator(RankState)
{
    return RankState::ended;
}

struct RankReport {
    Rank rank;
    NodeId node_id;
    std::vector<std::string> devices;
    std::uint64_t pid = 0;
    RankState state = RankState::waiting;
    RankExit exit; ///< when it ended

    bool operator==(const RankReport&) const = default;
    SDFLEET_WIRE_MAP(rank, node_id, devices, pid, state, exit)
};

enum class OutputStream : std::uint8_t { out = 0, err = 1 };
constexpr OutputStream last_enumerator(OutputStream)
{
    return OutputStream::err;
}

/// Some bytes that a rank wrote; the bytes themselves follow in the message's raw frame, one chunk after the other.
struct OutputChunk {
    Rank rank;
    OutputStream stream = OutputStream::out;
    std::uint32_t bytes = 0;

    bool operator==(const OutputChunk&) const = default;
    SDFLEET_WIRE_MAP(rank, stream, bytes)
};

/// May be repeated with the same id.
struct LaunchProgram {
    static constexpr auto type = MessageType::launch_program;
    ProgramId program_id;
    ProgramSpec spec;

    bool operator==(const LaunchProgram&) const = default;
    SDFLEET_WIRE_MAP(program_id, spec)
};

/// The program is in the books; its client must watch it from now on, or it is stopped.
struct ProgramLaunched {
    static constexpr auto type = MessageType::program_launched;
    ProgramId program_id;
    std::uint32_t watch_within_ms = 0; ///< a client silent for so long is taken for dead

    bool operator==(const ProgramLaunched&) const = default;
    SDFLEET_WIRE_MAP(program_id, watch_within_ms)
};

/// Answered at once when there is output or a change that the client has not seen, else when there is, else after wait_ms.
struct WatchProgram {
    static constexpr auto type = MessageType::watch_program;
    ProgramId program_id;
    std::uint64_t output_taken =
        0; ///< ProgramChanges::last_output of the answer before: what came until then is forgotten
    std::uint64_t seen_change = 0; ///< ProgramChanges::last_change of the answer before
    std::uint32_t wait_ms = 0;

    bool operator==(const WatchProgram&) const = default;
    SDFLEET_WIRE_MAP(program_id, output_taken, seen_change, wait_ms)
};

/// Followed by one raw frame with the output, if there is any.
struct ProgramChanges {
    static constexpr auto type = MessageType::program_changes;
    ProgramId program_id;
    ProgramState state = ProgramState::waiting;
    Epoch epoch;
    std::string waiting_for; ///< why it does not run yet, for people
    std::string detail;      ///< why it failed or was stopped, or starts again, for people
    std::vector<RankReport> ranks;
    std::vector<Rank> failed; ///< in the order in which they failed; those that were stopped for another's sake not
    std::uint64_t last_change = 0;
    std::vector<OutputChunk> output;
    std::uint64_t last_output = 0;

    bool operator==(const ProgramChanges&) const = default;
    SDFLEET_WIRE_MAP(program_id, state, epoch, waiting_for, detail, ranks, failed, last_change, output, last_output)
};

/// Answered by ProgramChanges: at once, and the ranks end within the grace.
struct StopProgram {
    static constexpr auto type = MessageType::stop_program;
    ProgramId program_id;
    bool kill = false; ///< without grace

    bool operator==(const StopProgram&) const = default;
    SDFLEET_WIRE_MAP(program_id, kill)
};

/// Where one rank runs.
struct RankPlace {
    Rank rank;
    std::uint32_t local_rank = 0;
    std::vector<Slot> slots; ///< whose devices it gets

    bool operator==(const RankPlace&) const = default;
    SDFLEET_WIRE_MAP(rank, local_rank, slots)
};

/// The agent ends the actors of these slots and starts the ranks in their place; it answers with RanksStarted.
struct StartRanks {
    static constexpr auto type = MessageType::start_ranks;
    ProgramRun run;
    ProgramSpec spec;
    std::vector<RankPlace> places; ///< of this node
    std::uint32_t node_rank = 0;
    std::uint32_t node_count = 1;
    std::string master_address;
    std::uint16_t master_port = 0; ///< 0 = this node has rank 0 and chooses a free one

    bool operator==(const StartRanks&) const = default;
    SDFLEET_WIRE_MAP(run, spec, places, node_rank, node_count, master_address, master_port)
};

struct RankPid {
    Rank rank;
    std::uint64_t pid = 0;

    bool operator==(const RankPid&) const = default;
    SDFLEET_WIRE_MAP(rank, pid)
};

/// A rank that could not be started is missing here; its RankExited follows.
struct RanksStarted {
    static constexpr auto type = MessageType::ranks_started;
    ProgramRun run;
    std::uint16_t master_port = 0;
    std::vector<RankPid> pids;

    bool operator==(const RanksStarted&) const = default;
    SDFLEET_WIRE_MAP(run, master_port, pids)
};

struct RankExited {
    static constexpr auto type = MessageType::rank_exited;
    ProgramRun run;
    Rank rank;
    RankExit exit;

    bool operator==(const RankExited&) const = default;
    SDFLEET_WIRE_MAP(run, rank, exit)
};

/// Followed by one raw frame with the bytes. At most output_window bytes of a node's ranks are under way.
struct ProgramOutput {
    static constexpr auto type = MessageType::program_output;
    ProgramRun run;
    std::vector<OutputChunk> chunks;

    bool operator==(const ProgramOutput&) const = default;
    SDFLEET_WIRE_MAP(run, chunks)
};

/// So many bytes of the node's output reached the client: as many more may come.
struct OutputTaken {
    static constexpr auto type = MessageType::output_taken;
    ProgramRun run;
    std::uint64_t bytes = 0;

    bool operator==(const OutputTaken&) const = default;
    SDFLEET_WIRE_MAP(run, bytes)
};

/// All ranks of the run on this node, and what they started, are to end: SIGTERM, SIGKILL after the grace.
struct StopRanks {
    static constexpr auto type = MessageType::stop_ranks;
    ProgramRun run;
    std::uint32_t grace_ms = 0;

    bool operator==(const StopRanks&) const = default;
    SDFLEET_WIRE_MAP(run, grace_ms)
};

/// Nothing of the run is left on this node; its devices are free. Answers a StopRanks of an unknown run, too.
struct RanksGone {
    static constexpr auto type = MessageType::ranks_gone;
    ProgramRun run;

    bool operator==(const RanksGone&) const = default;
    SDFLEET_WIRE_MAP(run)
};

/// What a node may send of a run's output before some of it was taken.
constexpr std::uint32_t output_window_bytes = 256 * 1024;

} // namespace sdfleet::proto
