// SPDX-License-Identifier: Apache-2.0
// Results go to stdout, narration to stderr.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace sdfleet::sdctl {

using Json = nlohmann::ordered_json;

/// A whole document, indented.
void print_document(const Json& document);

/// One line of NDJSON, at once.
void print_json_line(const Json& line);

void print_text(const std::string& text);

/// One line to stderr: "sdctl: ..." would look like an error, so there is no name before it.
void narrate(const std::string& line);

} // namespace sdfleet::sdctl
