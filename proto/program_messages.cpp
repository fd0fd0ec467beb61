// SPDX-License-Identifier: Apache-2.0
#include "proto/program_messages.hpp"

#include <algorithm>

namespace sdfleet::proto {

namespace {

constexpr std::size_t max_words = 4'096;
constexpr std::size_t max_word_bytes = 32 * 1024;
constexpr std::size_t max_command_bytes = 512 * 1024;
constexpr std::size_t max_variables = 1'024;
constexpr std::uint32_t max_restarts = 1'000;
constexpr std::uint32_t max_grace_ms = 600'000;

bool has_zero(const std::string& text)
{
    return text.find('\0') != std::string::npos;
}

std::optional<std::string> find_fault_of_command(const std::vector<std::string>& command)
{
    if (command.empty() || command.front().empty()) {
        return "a program needs a command";
    }
    std::size_t bytes = 0;
    for (const auto& word : command) {
        bytes += word.size();
        if (word.size() > max_word_bytes || has_zero(word)) {
            return "an argument of a command has at most " + std::to_string(max_word_bytes) + " bytes, none of them 0";
        }
    }
    if (command.size() > max_words || bytes > max_command_bytes) {
        return "a command has at most " + std::to_string(max_words) + " arguments and " +
               std::to_string(max_command_bytes) + " bytes";
    }
    return std::nullopt;
}

std::optional<std::string> find_fault_of_environment(const std::vector<EnvironmentVariable>& variables)
{
    if (variables.size() > max_variables) {
        return "a program gets at most " + std::to_string(max_variables) + " environment variables";
    }
    for (const auto& [name, value] : variables) {
        if (name.empty() || name.size() > 256 || name.find('=') != std::string::npos || has_zero(name)) {
            return "'" + name.substr(0, 64) + "' cannot be the name of an environment variable";
        }
        if (value.size() > max_word_bytes || has_zero(value)) {
            return "the value of " + name + " is too long (at most " + std::to_string(max_word_bytes) +
                   " bytes, none of them 0)";
        }
    }
    return std::nullopt;
}

} // namespace

std::optional<std::string> find_fault(const ProgramSpec& spec)
{
    if (auto fault = find_fault_of_command(spec.command)) {
        return fault;
    }
    if (auto fault = find_fault_of_environment(spec.environment)) {
        return fault;
    }
    if (spec.working_dir.size() > 4'096 || has_zero(spec.working_dir)) {
        return "the working directory's name is too long";
    }
    if (spec.ranks == 0 || spec.ranks > max_ranks) {
        return "a program has 1 to " + std::to_string(max_ranks) + " ranks, not " + std::to_string(spec.ranks);
    }
    if (spec.devices_per_rank == 0 || spec.devices_per_rank > 256) {
        return "a rank has 1 to 256 devices, not " + std::to_string(spec.devices_per_rank);
    }
    if (spec.nodes > spec.ranks) {
        return std::to_string(spec.ranks) + " ranks cannot be spread over " + std::to_string(spec.nodes) + " nodes";
    }
    if (spec.max_restarts > max_restarts || spec.stop_grace_ms > max_grace_ms) {
        return "at most " + std::to_string(max_restarts) + " restarts, and a grace of at most " +
               std::to_string(max_grace_ms / 1000) + " s";
    }
    return std::nullopt;
}

} // namespace sdfleet::proto
