// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <string_view>

namespace sdfleet::pipeline {

/// The number type of a model; automatic is what the device draws best with.
enum class Dtype { automatic, fp32, fp16, bf16 };

/// "auto", "fp32", "fp16" or "bf16"; ExitCode::usage for another text.
base::Result<Dtype> parse_dtype(std::string_view text);

} // namespace sdfleet::pipeline
