// SPDX-License-Identifier: Apache-2.0
#include "sdctl/progress_text.hpp"

#include "sdctl/text_table.hpp"

#include <algorithm>
#include <cstdio>

namespace sdfleet::sdctl {

namespace {

constexpr std::size_t bar_width = 24;

std::string bar(std::uint32_t done, std::uint32_t total)
{
    const auto filled = total == 0 ? bar_width : std::min<std::size_t>(bar_width, bar_width * done / total);
    return "[" + std::string(filled, '#') + std::string(bar_width - filled, '-') + "]";
}

std::string headline(const ProgressView& view)
{
    std::string line =
        bar(view.done, view.total) + " " + std::to_string(view.done) + "/" + std::to_string(view.total) + " pictures";
    if (view.failed > 0) {
        line += ", " + std::to_string(view.failed) + " failed";
    }
    if (view.steps_per_second) {
        char text[32];
        std::snprintf(text, sizeof text, ", %.1f steps/s", *view.steps_per_second);
        line += text;
    }
    if (view.time_left && view.done < view.total) {
        line += ", " + clock_text(*view.time_left) + " left";
    }
    if (!view.waiting_for.empty()) {
        line += ", waiting: " + view.waiting_for;
    }
    return line;
}

const char* phase_text(proto::ActorPhase phase)
{
    switch (phase) {
    case proto::ActorPhase::starting:
        return "starting";
    case proto::ActorPhase::ready:
        return "idle";
    case proto::ActorPhase::restarting:
        return "restarting";
    case proto::ActorPhase::failed:
        return "failed";
    case proto::ActorPhase::lent:
        return "lent";
    case proto::ActorPhase::vacant:
        return "vacant";
    }
    return "";
}

} // namespace

std::string clock_text(std::chrono::seconds duration)
{
    const auto seconds = duration.count();
    char text[64];
    if (seconds < 3600) {
        std::snprintf(text, sizeof text, "%ld:%02ld", static_cast<long>(seconds / 60), static_cast<long>(seconds % 60));
    } else {
        std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", static_cast<long>(seconds / 3600),
                      static_cast<long>(seconds / 60 % 60), static_cast<long>(seconds % 60));
    }
    return text;
}

std::string activity_text(const proto::ActorReport& actor)
{
    if (actor.state.phase == proto::ActorPhase::ready && !actor.job_id.value.empty()) {
        char text[64];
        std::snprintf(text, sizeof text, "drawing %06u, step %u of %u", actor.index.value, actor.step, actor.steps);
        return actor.steps == 0 ? std::string(text).substr(0, sizeof "drawing 000000" - 1) : text;
    }
    std::string text = phase_text(actor.state.phase);
    if (actor.state.phase != proto::ActorPhase::ready && !actor.state.detail.empty()) {
        text += ": " + actor.state.detail;
    }
    return text;
}

std::vector<std::string> progress_lines(const ProgressView& view, std::size_t width, std::size_t max_lines)
{
    std::vector<std::string> lines{fit(headline(view), width)};
    std::size_t name_width = 0;
    for (const auto& actor : view.actors) {
        name_width = std::max(name_width, to_string(proto::ActorId{actor.node_id, actor.state.slot}).size());
    }
    for (std::size_t i = 0; i < view.actors.size() && lines.size() < max_lines; ++i) {
        const auto left = view.actors.size() - i;
        if (lines.size() + 1 == max_lines && left > 1) {
            lines.push_back(fit("  and " + std::to_string(left) + " more actors", width));
            break;
        }
        const auto& actor = view.actors[i];
        auto name = to_string(proto::ActorId{actor.node_id, actor.state.slot});
        name.resize(name_width, ' ');
        lines.push_back(fit("  " + name + "  " + activity_text(actor), width));
    }
    return lines;
}

std::string picture_line(std::uint32_t done, std::uint32_t total, const std::string& file, const std::string& prompt,
                         const std::string& actor, std::uint64_t elapsed_ms)
{
    constexpr std::size_t prompt_width = 80;
    return "[" + std::to_string(done) + "/" + std::to_string(total) + "] " + file + " " + fit(prompt, prompt_width) +
           " (" + actor + ", " + std::to_string(elapsed_ms) + " ms)";
}

} // namespace sdfleet::sdctl
