// SPDX-License-Identifier: Apache-2.0
// What a launcher says to a rank by its environment.
#include "collective/process_group.hpp"

#include <charconv>
#include <cstdlib>
#include <limits>

namespace sdfleet::collective {

namespace {

std::optional<std::string> text_of(const char* name)
{
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0' ? std::optional<std::string>(value) : std::nullopt;
}

tl::unexpected<Error> contradiction(const std::string& what)
{
    return tl::unexpected(Error{InvalidArgument{}, "the environment of this rank: " + what});
}

template <class Number>
Result<std::optional<Number>> number_of(const char* name)
{
    const auto text = text_of(name);
    if (!text) {
        return std::nullopt;
    }
    Number number{};
    const auto* end = text->data() + text->size();
    if (const auto [stop, error] = std::from_chars(text->data(), end, number); error != std::errc{} || stop != end) {
        return contradiction(std::string(name) + "=" + *text + " is not a number from 0 to " +
                             std::to_string(std::numeric_limits<Number>::max()));
    }
    return number;
}

/// Rank and size, of the world or of this machine's part of it.
Result<void> read_place(const char* rank_name, const char* size_name, std::uint32_t& rank, std::uint32_t& size)
{
    const auto has_rank = number_of<std::uint32_t>(rank_name);
    const auto has_size = number_of<std::uint32_t>(size_name);
    if (!has_rank || !has_size) {
        return tl::unexpected(!has_rank ? has_rank.error() : has_size.error());
    }
    if (has_rank->has_value() != has_size->has_value()) {
        return contradiction(std::string(has_rank->has_value() ? rank_name : size_name) + " is set and " +
                             (has_rank->has_value() ? size_name : rank_name) + " is not");
    }
    rank = has_rank->value_or(rank);
    size = has_size->value_or(size);
    if (rank >= size) {
        return contradiction(std::string(rank_name) + "=" + std::to_string(rank) + " with " + size_name + "=" +
                             std::to_string(size));
    }
    return {};
}

} // namespace

Result<RankEnvironment> read_rank_environment()
{
    RankEnvironment environment;
    if (auto read = read_place("RANK", "WORLD_SIZE", environment.rank, environment.world_size); !read) {
        return tl::unexpected(std::move(read.error()));
    }
    if (auto read = read_place("LOCAL_RANK", "LOCAL_WORLD_SIZE", environment.local_rank, environment.local_world_size);
        !read) {
        return tl::unexpected(std::move(read.error()));
    }
    auto epoch = number_of<std::uint64_t>("SDFLEET_EPOCH");
    if (epoch && !*epoch) {
        epoch = number_of<std::uint64_t>("TORCHELASTIC_RESTART_COUNT");
    }
    const auto port = number_of<std::uint16_t>("MASTER_PORT");
    if (!epoch || !port) {
        return tl::unexpected(!epoch ? epoch.error() : port.error());
    }
    environment.epoch = {epoch->value_or(0)};
    const auto agent = text_of("SDFLEET_AGENT");
    const auto program = text_of("SDFLEET_PROGRAM");
    if (agent.has_value() != program.has_value()) {
        return contradiction(agent ? "SDFLEET_AGENT is set and SDFLEET_PROGRAM is not"
                                   : "SDFLEET_PROGRAM is set and SDFLEET_AGENT is not");
    }
    if (agent) {
        environment.agent = ViaAgent{*agent, *program};
    }
    const auto address = text_of("MASTER_ADDR");
    if (address && *port) {
        environment.master = ViaMaster{*address, **port, text_of("SDFLEET_GROUP_SECRET").value_or("")};
    }
    return environment;
}

} // namespace sdfleet::collective
