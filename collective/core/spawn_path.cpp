// SPDX-License-Identifier: Apache-2.0
#include "collective/core/spawn_path.hpp"

#include <charconv>

namespace sdfleet::collective {

namespace {

constexpr std::size_t max_depth = 16;

/// Reads digits up to `end_mark`, or to the end for '\0', off the front of `text`.
std::optional<std::uint32_t> take_number(std::string_view& text, char end_mark)
{
    const auto length = end_mark == '\0' ? text.size() : text.find(end_mark);
    if (length == std::string_view::npos) {
        return std::nullopt;
    }
    std::uint32_t number = 0;
    const char* end = text.data() + length;
    const auto [stopped, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stopped != end) {
        return std::nullopt;
    }
    text.remove_prefix(end_mark == '\0' ? length : length + 1);
    return number;
}

} // namespace

std::string to_text(const SpawnPath& path)
{
    std::string text;
    for (const auto& step : path) {
        text += (text.empty() ? "" : "/") + std::to_string(step.call) + ":" + std::to_string(step.rank);
    }
    return text;
}

std::optional<SpawnPath> parse_spawn_path(std::string_view text)
{
    SpawnPath path;
    while (path.size() < max_depth) {
        const auto call = take_number(text, ':');
        const bool is_last = text.find('/') == std::string_view::npos;
        const auto rank = call ? take_number(text, is_last ? '\0' : '/') : std::nullopt;
        if (!rank || *call == 0) {
            return std::nullopt;
        }
        path.push_back({*call, *rank});
        if (is_last) {
            return path;
        }
    }
    return std::nullopt;
}

SpawnPart SpawnProgress::next_call()
{
    ++calls_;
    if (has_arrived() || calls_ > path_[depth_].call) {
        return SpawnPart::start_ranks;
    }
    if (calls_ < path_[depth_].call) {
        return SpawnPart::pass_by;
    }
    ++depth_;
    calls_ = 0;
    return SpawnPart::enter;
}

SpawnPath SpawnProgress::path_of_rank(std::uint32_t rank) const
{
    SpawnPath path = path_;
    path.push_back({calls_, rank});
    return path;
}

} // namespace sdfleet::collective
