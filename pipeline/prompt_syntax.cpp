// SPDX-License-Identifier: Apache-2.0
#include "pipeline/prompt_syntax.hpp"

namespace sdfleet::pipeline {

base::Result<PromptSyntax> parse_prompt_syntax(std::string_view text)
{
    for (const PromptSyntax syntax : {PromptSyntax::plain, PromptSyntax::a1111}) {
        if (text == prompt_syntax_name(syntax)) {
            return syntax;
        }
    }
    return base::fail(base::ExitCode::usage, "unknown prompt syntax '" + std::string(text) + "'; known: plain, a1111");
}

const char* prompt_syntax_name(PromptSyntax syntax)
{
    return syntax == PromptSyntax::a1111 ? "a1111" : "plain";
}

} // namespace sdfleet::pipeline
