// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/devices/gpu.hpp"

#include <string>

namespace sdfleet::agent::devices {

enum class Health {
    good,
    suspect, ///< works until it fails: only for who names it
    useless
};

/// What is said about a GPU. A good one may have a complaint, too: a line for the log.
struct Diagnosis {
    Health health = Health::good;
    std::string
        complaint; ///< what is wrong and what to do, in words that follow "cuda:0 (name, uuid)"; empty = nothing
};

Diagnosis diagnose(const Gpu& gpu);

} // namespace sdfleet::agent::devices
