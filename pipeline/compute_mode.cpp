// SPDX-License-Identifier: Apache-2.0
#include "pipeline/compute_mode.hpp"

#include <string>

namespace sdfleet::pipeline {

base::Result<ComputeMode> parse_compute_mode(std::string_view text)
{
    if (text == "auto") {
        return ComputeMode::automatic;
    }
    if (text == "reference") {
        return ComputeMode::reference;
    }
    if (text == "fast") {
        return ComputeMode::fast;
    }
    return base::fail(base::ExitCode::usage, "unknown mode '" + std::string(text) + "'; known: auto, reference, fast");
}

} // namespace sdfleet::pipeline
