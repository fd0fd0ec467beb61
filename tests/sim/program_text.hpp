// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/program_messages.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace sdfleet::sim {

/// What a simulated rank does; its program's command says it.
struct RankPlan {
    std::int64_t run_ms = 1'000;
    std::uint32_t words = 0;          ///< that it writes, spread over its life
    std::uint32_t failing_rank = 0;   ///< which fails
    std::uint32_t failing_epochs = 0; ///< in so many tries
    bool is_deaf = false;             ///< to SIGTERM
};

inline std::vector<std::string> command_of(const RankPlan& plan)
{
    return {"rank",
            std::to_string(plan.run_ms),
            std::to_string(plan.words),
            std::to_string(plan.failing_rank),
            std::to_string(plan.failing_epochs),
            plan.is_deaf ? "deaf" : "polite"};
}

inline RankPlan plan_of(const std::vector<std::string>& command)
{
    return {std::stoll(command.at(1)), static_cast<std::uint32_t>(std::stoul(command.at(2))),
            static_cast<std::uint32_t>(std::stoul(command.at(3))),
            static_cast<std::uint32_t>(std::stoul(command.at(4))), command.at(5) == "deaf"};
}

/// What a rank writes is a row of words that say whose and the how manyth they are, so that a reader sees what is missing.
constexpr std::size_t word_bytes = 2'048;

inline std::string word_of(std::uint64_t epoch, std::uint32_t rank, std::uint32_t number)
{
    auto word = std::to_string(epoch) + " " + std::to_string(rank) + " " + std::to_string(number) + " ";
    word.resize(word_bytes, '.');
    return word;
}

} // namespace sdfleet::sim
