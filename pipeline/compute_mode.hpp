// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <string_view>

namespace sdfleet::pipeline {

/// How the networks are computed.
enum class ComputeMode {
    automatic, ///< fast on a GPU, reference on the CPU
    reference, ///< LibTorch's operators in the order of the published pipelines
    fast,      ///< own kernels, fused layers, one pass for all rows of a batch: the same to rounding
};

/// "auto", "reference" or "fast"; ExitCode::usage for anything else.
base::Result<ComputeMode> parse_compute_mode(std::string_view text);

} // namespace sdfleet::pipeline
