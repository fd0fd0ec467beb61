// SPDX-License-Identifier: Apache-2.0
// A coordinator core with nodes that run ranks when the test says so, and a client that may launch programs.
#pragma once

#include "tests/unit/coordinator/core_fixture.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace sdfleet::coordinator {

inline proto::ProgramSpec program_of(std::uint32_t ranks, std::uint32_t nodes = 0)
{
    proto::ProgramSpec spec;
    spec.command = {"draw", "--fast"};
    spec.ranks = ranks;
    spec.nodes = nodes;
    return spec;
}

inline proto::ProgramRun run_of(const std::string& program, std::uint64_t epoch = 1)
{
    return {{program}, {epoch}};
}

class ProgramStory : public World {
public:
    explicit ProgramStory(const std::map<std::string, std::uint32_t>& nodes, Options options = {}) : World(options)
    {
        keeps_sends = true;
        launchers = {"client"};
        say("client", proto::ClientHello{});
        take<proto::Welcome>("client");
        for (const auto& [node, actors] : nodes) {
            join(node, actors);
        }
    }

    void launch(const std::string& program, const proto::ProgramSpec& spec)
    {
        say("client", proto::LaunchProgram{{program}, spec}, 5);
        REQUIRE(take_one<proto::ProgramLaunched>("client").program_id == proto::ProgramId{program});
    }

    /// What the client is told when it asks now. It takes no output.
    proto::ProgramChanges look(const std::string& program)
    {
        take<proto::ProgramChanges>("client"); // answers to what was asked before
        say("client", proto::WatchProgram{{program}, 0, 0, 0});
        return take_one<proto::ProgramChanges>("client");
    }

    // -------- nodes

    /// The node does what it was told: its actors end, its ranks start.
    proto::StartRanks start(const std::string& node, std::uint16_t port = 4321)
    {
        const auto order = take_one<proto::StartRanks>(node);
        for (const auto& place : order.places) {
            for (const auto slot : place.slots) {
                tell_phase(node, slot, proto::ActorPhase::lent);
            }
        }
        runs[node].push_back(order);
        proto::RanksStarted started{order.run, order.master_port == 0 ? port : order.master_port, {}};
        for (const auto& place : order.places) {
            started.pids.push_back({place.rank, 9000 + place.rank.value});
        }
        say(node, started);
        return order;
    }

    void exit(const std::string& node, const proto::ProgramRun& run, std::uint32_t rank, std::uint32_t code,
              std::uint32_t signal = 0)
    {
        say(node, proto::RankExited{run, {rank}, {code, signal, ""}});
    }

    /// Nothing of the run is left on the node; actors have its devices again.
    void gone(const std::string& node, const proto::ProgramRun& run)
    {
        const auto order =
            std::ranges::find(runs[node], run, [](const proto::StartRanks& started) { return started.run; });
        REQUIRE(order != runs[node].end());
        for (const auto& place : order->places) {
            for (const auto slot : place.slots) {
                tell_phase(node, slot, proto::ActorPhase::ready);
            }
        }
        runs[node].erase(order);
        say(node, proto::RanksGone{run});
    }

    /// All ranks of the node end, and the run is gone there.
    void end(const std::string& node, const proto::ProgramRun& run, std::uint32_t code = 0, std::uint32_t signal = 0)
    {
        const auto order =
            std::ranges::find(runs[node], run, [](const proto::StartRanks& started) { return started.run; });
        REQUIRE(order != runs[node].end());
        const auto places = order->places;
        for (const auto& place : places) {
            exit(node, run, place.rank.value, code, signal);
        }
        gone(node, run);
    }

    void beat(const std::string& node)
    {
        proto::Heartbeat heartbeat{1, held[node], {}, {}};
        for (const auto& order : runs[node]) {
            heartbeat.programs.push_back(order.run);
        }
        say(node, heartbeat);
    }

    /// Turns the clock in a healthy fleet: these nodes send heartbeats, and the client looks at the program.
    void wait_in_peace(std::int64_t milliseconds, const std::vector<std::string>& nodes, const std::string& program)
    {
        for (std::int64_t waited = 0; waited < milliseconds; waited += 500) {
            for (const auto& node : nodes) {
                beat(node);
            }
            look(program);
            wait(500);
        }
    }

    std::map<std::string, std::vector<proto::StartRanks>> runs; ///< what each node would list in a heartbeat

private:
    void tell_phase(const std::string& node, proto::Slot slot, proto::ActorPhase phase)
    {
        say(node,
            proto::ActorUpdate{{slot, "cpu", phase, phase == proto::ActorPhase::lent ? 0 : 200 + slot.value, 0, ""}});
    }
};

} // namespace sdfleet::coordinator
