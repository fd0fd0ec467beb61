// SPDX-License-Identifier: Apache-2.0
#include "sdctl/run_report.hpp"

#include "sdctl/text_table.hpp"

#include <algorithm>

namespace sdfleet::sdctl {

namespace {

std::size_t count_pictures(const RunReport& report)
{
    return static_cast<std::size_t>(
        std::ranges::count_if(report.entries, [](const auto& entry) { return entry.second.error.empty(); }));
}

} // namespace

Json to_json(const RunReport& report)
{
    Json pictures = Json::array();
    Json failures = Json::array();
    for (const auto& [index, entry] : report.entries) {
        (entry.error.empty() ? pictures : failures).push_back(to_json(entry));
    }
    return {{"job", report.job},   {"state", report.state}, {"out", report.folder.string()}, {"total", report.total},
            {"kept", report.kept}, {"pictures", pictures},  {"failures", failures}};
}

std::string pictures_text(const RunReport& report)
{
    std::string text;
    for (const auto& [index, entry] : report.entries) {
        if (entry.error.empty()) {
            text += (report.folder / entry.file).string() + "\n";
        }
    }
    return text;
}

std::string summary_line(const RunReport& report)
{
    const auto pictures = count_pictures(report);
    std::string line = std::to_string(pictures) + " of " + std::to_string(report.total) +
                       (report.total == 1 ? " picture is in " : " pictures are in ") + report.folder.string();
    const bool has_sheet = std::ranges::any_of(report.entries, [](const auto& entry) {
        return entry.second.error.empty() && entry.second.file.ends_with(".png");
    });
    return has_sheet ? line + ", on one sheet in grid.png" : line;
}

std::string failures_text(const RunReport& report)
{
    constexpr std::size_t shown = 10;
    constexpr std::size_t prompt_width = 60;
    std::string text;
    std::size_t failures = 0;
    for (const auto& [index, entry] : report.entries) {
        if (entry.error.empty() || ++failures > shown) {
            continue;
        }
        text +=
            "failed: " + std::to_string(index) + " (" + fit(entry.prompt, prompt_width) + "): " + entry.error + "\n";
    }
    return failures > shown ? text + "and " + std::to_string(failures - shown) + " more, see manifest.jsonl\n" : text;
}

void print(const RunReport& report, bool json)
{
    if (const auto failures = failures_text(report); !failures.empty()) {
        narrate(failures.substr(0, failures.size() - 1));
    }
    narrate(summary_line(report));
    if (json) {
        print_document(to_json(report));
    } else {
        print_text(pictures_text(report));
    }
}

} // namespace sdfleet::sdctl
