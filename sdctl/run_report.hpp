// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sdctl/manifest.hpp"
#include "sdctl/output.hpp"

#include <filesystem>
#include <string>

namespace sdfleet::sdctl {

/// What `run` and `fetch` tell at their end.
struct RunReport {
    std::string job;   ///< empty when nothing had to be drawn
    std::string state; ///< of the job; "done" when nothing had to be drawn
    std::filesystem::path folder;
    std::size_t total = 0;
    std::size_t kept = 0; ///< pictures that were there before
    Manifest::Entries entries;
};

Json to_json(const RunReport& report);

/// One path a line, pictures only.
std::string pictures_text(const RunReport& report);

/// "8 pictures in out, all on one sheet: out/grid.png"
std::string summary_line(const RunReport& report);

/// A line for each picture that failed, at most ten, and how many more there are.
std::string failures_text(const RunReport& report);

/// Results to stdout, the rest to stderr.
void print(const RunReport& report, bool json);

} // namespace sdfleet::sdctl
