// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace sdfleet::pipeline {

/// Part of the message of an ExitCode::failed which says that a model computed NaN or infinity: by it a caller tells this
/// from other failures, such as too little memory.
inline constexpr std::string_view not_finite_words = "it has NaN or infinite values";

} // namespace sdfleet::pipeline
