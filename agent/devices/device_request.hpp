// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

namespace sdfleet::agent::devices {

constexpr std::size_t max_actors = 64; ///< of one node

/// cpu, cpu*K
struct Processor {
    std::size_t actors = 1;
    bool operator==(const Processor&) const = default;
};

/// cuda, cuda*K
struct EveryGpu {
    std::size_t actors_each = 1;
    bool operator==(const EveryGpu&) const = default;
};

/// cuda:N, cuda:N*K
struct OneGpu {
    std::size_t index = 0;
    std::size_t actors = 1;
    bool operator==(const OneGpu&) const = default;
};

using DeviceTerm = std::variant<Processor, EveryGpu, OneGpu>;

/// What --devices asks for.
struct DeviceRequest {
    std::string text;              ///< as it was written
    bool is_automatic = false;     ///< whatever there is
    std::vector<DeviceTerm> terms; ///< else: at least one

    /// Whether GPUs have to be looked for.
    bool concerns_gpus() const;
};

/// "auto", or a list of cpu, cpu*K, cuda, cuda*K, cuda:N and cuda:N*K with commas between; after cuda:N the next may be
/// numbers alone: cuda:0,1. ExitCode::usage for anything else, with the part that is not understood.
base::Result<DeviceRequest> parse_device_request(const std::string& text);

} // namespace sdfleet::agent::devices
