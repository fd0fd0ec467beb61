// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace sdfleet::pipeline {

/// Objects and lists within each other in any file that we read.
inline constexpr int max_json_depth = 64;

/// True if `text`, valid JSON or not, nests deeper than that: what goes down such a tree would need stack for each level.
bool nests_too_deep(std::string_view text);

} // namespace sdfleet::pipeline
