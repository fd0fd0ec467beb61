// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sdfleet::pipeline {

/// The text stages in front of CLIP's byte-pair encoding. All texts are well-formed UTF-8.

/// Unicode NFC, each run of white space as one space, lower case code point by code point (no context: a final capital
/// sigma becomes an ordinary one).
std::string normalize_prompt(std::string_view text);

/// The words of a normalised text: English contractions, runs of letters, single digits, runs of other signs. White
/// space separates and is dropped.
std::vector<std::string_view> split_words(std::string_view normalized);

} // namespace sdfleet::pipeline
