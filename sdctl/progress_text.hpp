// SPDX-License-Identifier: Apache-2.0
// Progress as lines of text. Pure.
#pragma once

#include "proto/messages.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sdfleet::sdctl {

/// What a progress display shows.
struct ProgressView {
    std::uint32_t done = 0; ///< pictures, those kept from an earlier run included
    std::uint32_t failed = 0;
    std::uint32_t total = 0;
    std::optional<double> steps_per_second;
    std::optional<std::chrono::seconds> time_left;
    std::string waiting_for; ///< why nothing moves; empty when it does
    std::vector<proto::ActorReport> actors;
};

/// The first line is the bar, then one line an actor. At most `max_lines` lines of at most `width` columns.
std::vector<std::string> progress_lines(const ProgressView& view, std::size_t width, std::size_t max_lines);

/// "0:42", "1:02:03".
std::string clock_text(std::chrono::seconds duration);

/// What one actor does: "drawing 000003, step 12 of 20", "idle", "restarting: was killed by SIGKILL".
std::string activity_text(const proto::ActorReport& actor);

/// "[3/8] 000002-44.png a blue square (node-a/0, 512 ms)"
std::string picture_line(std::uint32_t done, std::uint32_t total, const std::string& file, const std::string& prompt,
                         const std::string& actor, std::uint64_t elapsed_ms);

} // namespace sdfleet::sdctl
