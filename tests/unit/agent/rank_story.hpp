// SPDX-License-Identifier: Apache-2.0
// An agent that is a member of a fleet, whose actors are ready, and that gets ranks to run.
#pragma once

#include "tests/unit/agent/agent_story.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sdfleet::agent {

inline const proto::ProgramRun the_run{{"p"}, {1}};

struct RankStory : Story {
    explicit RankStory(std::uint32_t actors = 2, Limits limits = {}) : Story(actors, limits)
    {
        join();
        for (std::uint32_t slot = 0; slot < actors; ++slot) {
            actor_joins(slot);
        }
        forget();
    }

    /// Rank K gets slot K.
    static proto::StartRanks order_of(std::uint32_t ranks, std::uint16_t port = 0)
    {
        proto::StartRanks order;
        order.run = the_run;
        order.spec.command = {"draw", "--fast"};
        order.spec.ranks = ranks;
        order.master_address = "127.0.0.1";
        order.master_port = port;
        for (std::uint32_t rank = 0; rank < ranks; ++rank) {
            order.places.push_back({{rank}, rank, {{rank}}});
        }
        return order;
    }

    void vacate(const proto::StartRanks& order)
    {
        for (const auto& place : order.places) {
            for (const auto slot : place.slots) {
                actor_dies(newest_launch(slot.value));
            }
        }
    }

    /// The actors end, and the ranks run.
    void start(const proto::StartRanks& order)
    {
        coordinator_says(order);
        vacate(order);
        if (order.master_port == 0) {
            happen(PortChosen{order.run, 4321});
        }
        for (const auto& place : order.places) {
            spawned(place.rank.value);
        }
    }
    void start(std::uint32_t ranks) { start(order_of(ranks)); }

    void spawned(std::uint32_t rank) { happen(RankSpawned{the_run, {rank}, 500 + rank}); }
    void ended(std::uint32_t rank, proto::RankExit exit = {}) { happen(RankEnded{the_run, {rank}, std::move(exit)}); }
    void wrote(std::uint32_t rank, std::string bytes, proto::OutputStream stream = proto::OutputStream::out)
    {
        happen(RankWrote{the_run, {rank}, stream, std::move(bytes)});
    }
    void close_streams(std::uint32_t rank)
    {
        wrote(rank, "");
        wrote(rank, "", proto::OutputStream::err);
    }
    void end_all(std::uint32_t ranks)
    {
        for (std::uint32_t rank = 0; rank < ranks; ++rank) {
            ended(rank);
            close_streams(rank);
        }
    }

    void stop_ranks(std::uint32_t grace_ms) { coordinator_says(proto::StopRanks{the_run, grace_ms}); }

    /// "0:ask 1:ask": what was done to ranks.
    std::string endings() const
    {
        std::string text;
        for (const auto& end : effects_of<EndRank>()) {
            text += (text.empty() ? "" : " ") + std::to_string(end.rank.value) +
                    (end.ending == Ending::ask    ? ":ask"
                     : end.ending == Ending::kill ? ":kill"
                                                  : ":clean up");
        }
        return text;
    }

    bool is_reading(std::uint32_t rank, proto::OutputStream stream = proto::OutputStream::out) const
    {
        return std::ranges::any_of(effects_of<ReadOutput>(), [&](const ReadOutput& read) {
            return read.rank.value == rank && read.stream == stream;
        });
    }
};

} // namespace sdfleet::agent
