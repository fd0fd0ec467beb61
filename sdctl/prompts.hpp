// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace sdfleet::sdctl {

struct Prompt {
    std::string text;  ///< UTF-8, not blank, at most proto::max_prompt_bytes
    std::string place; ///< "prompts.txt:3" or "--prompt 2", for error lines
};

struct RankedPrompt {
    std::uint32_t rank = 0;
    std::string text;

    bool operator==(const RankedPrompt&) const = default;
};

/// One prompt a line; LF or CRLF, a byte order mark is allowed, blank lines are passed over. Every fault is a usage error
/// that names file and line. `name` is what the file is called in errors.
base::Result<std::vector<Prompt>> parse_prompts(std::string_view content, const std::string& name);

base::Result<std::vector<Prompt>> read_prompts(const std::filesystem::path& file);

/// Prompts given on the command line: the same rules.
base::Result<std::vector<Prompt>> check_prompts(const std::vector<std::string>& texts);

/// "1: a cat" -> rank 1, "a cat". Split 'rank' needs it of every prompt.
base::Result<RankedPrompt> take_rank(const Prompt& prompt);

} // namespace sdfleet::sdctl
