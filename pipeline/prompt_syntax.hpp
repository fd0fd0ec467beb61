// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <string_view>

namespace sdfleet::pipeline {

/// How the text of a prompt is read.
enum class PromptSyntax {
    plain, ///< every sign means itself, and what exceeds the text encoder's length is cut off: as diffusers does
    a1111  ///< (emphasis:1.2), [less of it], BREAK, and prompts of any length: as the A1111 web UI does
};

/// "plain" or "a1111"; anything else is ExitCode::usage.
base::Result<PromptSyntax> parse_prompt_syntax(std::string_view text);

const char* prompt_syntax_name(PromptSyntax syntax);

} // namespace sdfleet::pipeline
